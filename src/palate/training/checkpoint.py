"""Where a training is, on disk: what a run that was killed goes on from."""

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import msgspec
import numpy as np
import torch

from palate.catalog.columns import ItemColumns
from palate.disk import sync
from palate.settings import TrainingSettings
from palate.training.dataset import Dataset, item_inputs

FOLDER = "training"
"""In the site's folder, while a training runs and where one was killed; may be deleted."""
BEGUN = "begun.json"
FORM = 4
"""Of how towers learn from the same settings and log: raised with it, so that nobody goes on with
what learnt otherwise."""


class Begun(msgspec.Struct, frozen=True):
    """What a run has set out to learn from."""

    position: int
    """The log's newest event then."""
    at: float
    """When, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file that is replaced whole. What was written under another `key` is as good as none."""

    file: Path
    key: str
    """Says what is learnt, from what and how: settings, log, catalogue."""

    def read(self) -> dict[str, Any] | None:
        """The newest state, or None. A file that cannot be read counts as none."""
        try:
            held: dict[str, Any] = torch.load(self.file, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError):
            return None
        return held["state"] if held.get("key") == self.key else None

    def write(self, state: dict[str, Any]) -> None:
        """Replace the state, so that whoever is killed meanwhile leaves the one before."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        aside = self.file.with_suffix(".new")
        torch.save({"key": self.key, "state": state}, aside)
        sync(aside)
        aside.replace(self.file)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Those of one run. They stay where it is killed, stopped or falls; see `clear`."""

    folder: Path
    key: str

    @classmethod
    def of_run(
        cls, home: Path, data: Dataset, columns: ItemColumns, settings: TrainingSettings, at: float
    ) -> Self:
        """Begin, or go on with what was begun `at` with the same log, catalogue and settings."""
        made = cls(home / FOLDER, _digest(data, columns, settings))
        made.folder.mkdir(parents=True, exist_ok=True)
        begun = Begun(int(data.events.position.max(initial=0)), at)
        (made.folder / BEGUN).write_bytes(msgspec.json.encode(begun))
        return made

    def of(self, part: str) -> Checkpoint:
        """Of one part of the run."""
        return Checkpoint(self.folder / f"{part}.pt", self.key)


def clear(home: Path) -> None:
    """A run has come to its end, be it a release or a refusal: nothing is to be gone on with."""
    with suppress(FileNotFoundError):
        shutil.rmtree(home / FOLDER)


def begun(home: Path, now: float, hours: float) -> Begun | None:
    """What a run had set out to learn from that was ended early, in the last so many hours."""
    try:
        found = msgspec.json.decode((home / FOLDER / BEGUN).read_bytes(), type=Begun)
    except (OSError, msgspec.DecodeError):
        return None
    return found if now - found.at < 3_600 * hours else None


def _digest(data: Dataset, columns: ItemColumns, settings: TrainingSettings) -> str:
    told = hashlib.blake2b(msgspec.json.encode(settings), digest_size=16)
    events, inputs = data.events, item_inputs(columns, data.rows, data.counts(data.part(1.0)))
    told.update(msgspec.json.encode((FORM, inputs.names, str(torch.__version__))))
    kinds = (events.position, events.signal, events.user, events.session, events.item, events.time)
    for array in (*kinds, inputs.content, inputs.categories):
        told.update(np.ascontiguousarray(array).tobytes())
    return told.hexdigest()
