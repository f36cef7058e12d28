"""What was tried already, in a file of the site's folder: an interrupted tuning goes on from it."""

from pathlib import Path
from typing import Any

import msgspec

from palate.evaluation.tuning.search import Judge, Point

FILE = "tuning.jsonl"


class Trial(msgspec.Struct, frozen=True):
    """One line."""

    task: str
    """What was tuned, on which log, by which protocol: scores of others are not comparable."""
    point: dict[str, float]
    score: float
    result: dict[str, Any] = {}
    """What else was found, where a point is not all there is to say."""


class Journal:
    """The trials of a site's newest tuning."""

    def __init__(self, home: Path, about: str) -> None:
        self._file = home / FILE
        self._about = about
        self._trials = [t for t in _read(self._file) if t.task.startswith(f"{about} ")]
        aside = self._file.with_suffix(".new")
        aside.write_bytes(b"".join(msgspec.json.encode(t) + b"\n" for t in self._trials))
        aside.replace(self._file)

    def name(self, task: str) -> str:
        """A task of this tuning, on this log."""
        return f"{self._about} {task}"

    def find(self, task: str, point: Point) -> Trial | None:
        """The trial of this point, where there was one."""
        for trial in self._trials:
            if trial.task == self.name(task) and trial.point == point:
                return trial
        return None

    def add(self, task: str, point: Point, score: float, result: dict[str, Any]) -> Trial:
        """Write a trial down, at once."""
        trial = Trial(self.name(task), dict(point), score, result)
        self._trials.append(trial)
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")
        return trial

    def remembering(self, task: str, judge: Judge) -> Judge:
        """The same judge, who is not asked twice."""

        def judged(point: Point) -> float:
            known = self.find(task, point)
            return (known or self.add(task, point, judge(point), {})).score

        return judged


def _read(file: Path) -> list[Trial]:
    """Every whole line; the last one may be torn."""
    found: list[Trial] = []
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        try:
            found.append(msgspec.json.decode(line, type=Trial))
        except msgspec.DecodeError:
            break
    return found
