"""How the engine is, in plain words: what it serves from, what is wrong, how far training is."""

import re
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from palate.console.api import Api, Json

STEPS = {
    "full": "",
    "retrieval": "answered by retrieval scores alone",
    "last_slate": "answered by your last page, kept",
    "popular": "answered by what is popular",
    "static": "answered by a fixed list",
}
"""What a page says of a step of the ladder; of the whole funnel there is nothing to say."""
TRAINING = "training.json"
NO_RELEASE = ("", "none")
AT_REST = ("", "done", "failed", "waiting")
SHORT = 18
"""Letters of a sentence that gets no line of its own."""
LEARNT, COUNTED = "Serves what it has learnt", "Serves from counts"

Lamp: TypeAlias = Literal["on", "off", "warm", "bad"]
"""Learnt; nothing learnt, nothing wrong; something to look at; it does not work."""


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
    lamp: Lamp
    verdict: tuple[str, ...]
    """How the last training ended, sentence by sentence."""
    training: Training | None
    steps: dict[str, str] = msgspec.field(default_factory=lambda: dict(STEPS))


async def pulse_of(api: Api, home: Path) -> Pulse:
    """Ask the server for its state, and read how far training is."""
    state = await api.ready()
    training = training_in(home)
    release = release_of(state)
    lamp, says = _state(state, release, training)
    running = training if training is not None and training.runs else None
    ended = training.text if training is not None and not training.runs else ""
    return Pulse(release, says, lamp, sentences(ended), running)


def release_of(state: Json) -> str:
    """The release in the server's own words, "" where there is none yet."""
    name = str(state.get("release") or "")
    return "" if name in NO_RELEASE else name


def training_in(home: Path) -> Training | None:
    """How far training is, or how it ended; None where nothing was ever trained."""
    try:
        return msgspec.json.decode((home / TRAINING).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError):
        return None


def sentences(text: str) -> tuple[str, ...]:
    """A text, sentence by sentence; a very short one stays with the one before it.

    >>> sentences("It reaches 0.38. It ships. Release r1 is live.")
    ('It reaches 0.38. It ships.', 'Release r1 is live.')
    """
    told: list[str] = []
    for each in re.split(r"(?<=\.)\s+(?=[A-Z])", text.strip()):
        if told and len(each) < SHORT:
            told[-1] += f" {each}"
        elif each:
            told.append(each)
    return tuple(told)


def _state(state: Json, release: str, training: Training | None) -> tuple[Lamp, str]:
    remarks = "; ".join(state.get("remarks", ()))
    if not state.get("ready"):
        return "bad", f"Not ready: {remarks or 'the engine does not answer'}"
    source = LEARNT if release else COUNTED
    if remarks:
        return "warm", f"{source}, but {remarks}"
    if training is not None and training.phase == "failed":
        return "warm", f"{source}: the last training failed"
    if release:
        return "on", LEARNT
    return "off", f"{COUNTED}{_not_yet(training)}"


def _not_yet(training: Training | None) -> str:
    if training is None:
        return ": nothing has been learnt yet"
    return " while it learns" if training.runs else ": the last training shipped nothing"
