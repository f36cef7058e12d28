"""How the engine is, in words: which release serves, which step answers, how far training is."""

from pathlib import Path
from typing import Any

import msgspec

from palate.console.api import Api

STEPS = {
    "full": "full funnel",
    "retrieval": "retrieval scores only",
    "last_slate": "your last page, kept",
    "popular": "what is popular",
    "static": "a fixed list",
}
TRAINING = "training.json"
NO_RELEASE = ("", "none")
AT_REST = ("", "done", "failed", "waiting")


class Training(msgspec.Struct, frozen=True):
    """What the trainer wrote into the site's folder."""

    phase: str = ""
    fraction: float = 0.0
    text: str = ""
    started: float = 0.0

    @property
    def runs(self) -> bool:
        """Whether it is at work now."""
        return self.phase not in AT_REST


class Pulse(msgspec.Struct, frozen=True):
    """The state of the engine, for the strip at the top of every page."""

    release: str
    """The release's name; "" before the first."""
    says: str
    training: Training | None
    steps: dict[str, str] = msgspec.field(default_factory=lambda: dict(STEPS))


async def pulse_of(api: Api, home: Path) -> Pulse:
    """Ask the server for its state, and read how far training is."""
    release = release_of(await api.ready())
    training = training_in(home)
    running = training if training is not None and training.runs else None
    return Pulse(release, _says(release, training), running)


def release_of(state: dict[str, Any]) -> str:
    """The release in the server's own words, "" where there is none yet."""
    name = str(state.get("release") or "")
    return "" if name in NO_RELEASE else name


def training_in(home: Path) -> Training | None:
    """How far training is, or how it ended; None where nothing was ever trained."""
    try:
        return msgspec.json.decode((home / TRAINING).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError):
        return None


def _says(release: str, training: Training | None) -> str:
    if release:
        return f"release {release} serves"
    if training is None:
        return "serving from counts: nothing has been trained yet"
    if training.runs:
        return "serving from counts while the first release is trained"
    return f"serving from counts: {training.text}"
