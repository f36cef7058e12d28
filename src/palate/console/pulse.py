"""How the engine is, in words: which release serves, which step answers, how far training is."""

from pathlib import Path
from typing import Any

import msgspec

from palate.console.api import Api

STEPS = {
    "full": "full funnel",
    "retrieval": "retrieval scores only",
    "last_slate": "your last page, kept",
    "popular": "popular films",
    "static": "a fixed list",
}
TRAINING = "training.json"
NO_RELEASE = ("", "none")


class Training(msgspec.Struct, frozen=True):
    """What the trainer wrote into the site's folder."""

    phase: str = ""
    fraction: float = 0.0
    text: str = ""
    started: float = 0.0


class Pulse(msgspec.Struct, frozen=True):
    """The state of the engine, for the strip at the top of every page."""

    release: str
    """The release's name; "" before the first."""
    says: str
    training: Training | None
    steps: dict[str, str] = msgspec.field(default_factory=lambda: dict(STEPS))


async def pulse_of(api: Api, home: Path) -> Pulse:
    """Ask the server for its state, and read how far training is."""
    state = await api.ready()
    release = release_of(state)
    training = training_in(home)
    if release:
        says = f"release {release} serves"
    elif training:
        says = "serving from counts; the first release is being trained"
    else:
        says = "serving from counts: nothing has been trained yet"
    return Pulse(release, says, training)


def release_of(state: dict[str, Any]) -> str:
    """The release in the server's own words, "" where there is none yet."""
    name = str(state.get("release") or "")
    return "" if name in NO_RELEASE else name


def training_in(home: Path) -> Training | None:
    """The training that runs now; None where there is none."""
    try:
        training = msgspec.json.decode((home / TRAINING).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError):
        return None
    return training if training.fraction < 1 else None
