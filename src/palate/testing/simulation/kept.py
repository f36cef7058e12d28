"""What a comparison has measured so far, on disk: a long one goes on where it was broken off."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from palate.errors import BadInput
from palate.evaluation.simulator.chances import Chances
from palate.evaluation.simulator.measures import Measures


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One seed under one user model: every policy, to the end."""

    asked: str
    """What was compared, in words; parts of something else are left alone."""
    seed: int
    model: str
    runs: list[Measures]
    propensities: list[Chances]


class Kept:
    """Parts in a file, one JSON object a line; without a file they are kept until the end alone."""

    def __init__(self, file: Path | None, asked: str) -> None:
        self._file, self._asked, self._all = file, asked, _read(file)
        self._parts = {(e.seed, e.model): e for e in self._all if e.asked == asked}

    def find(self, seed: int, model: str) -> Part | None:
        """What was measured of these before."""
        return self._parts.get((seed, model))

    def add(
        self, seed: int, model: str, runs: Sequence[Measures], chances: Sequence[Chances]
    ) -> None:
        """Keep a part that is whole. The file is whole, too, whenever the process ends."""
        part = Part(
            asked=self._asked, seed=seed, model=model, runs=[*runs], propensities=[*chances]
        )
        self._parts[seed, model] = part
        self._all.append(part)
        if self._file is not None:
            new = self._file.with_name(f"{self._file.name}.new")
            new.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in self._all))
            new.replace(self._file)


def _read(file: Path | None) -> list[Part]:
    if file is None or not file.exists():
        return []
    try:
        lines = file.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Part) for line in lines]
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInput(f"{file} holds something else than parts of a report: {error}") from error
