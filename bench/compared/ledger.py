"""The results file: one JSON line a row, appended, so that a run goes on where it stopped."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

Line: TypeAlias = dict[str, Any]


class Place(NamedTuple):
    """What a number belongs to."""

    data: str
    protocol: str
    slice: str
    model: str
    training: str = ""
    """Settings of `[training]` that were not the default."""


class Summary(NamedTuple):
    """One model on one slice, over its seeds."""

    place: Place
    seeds: Sequence[Line]
    """One line a seed, the newest of each."""

    def mean(self, name: str) -> float:
        """A number's mean over the seeds; NaN where it was not measured."""
        values = [float(line[name]) for line in self.seeds if name in line]
        return float(np.mean(values)) if values else float("nan")

    def spread(self, name: str) -> float:
        """Standard deviation over the seeds; 0 where there is one."""
        values = [float(line[name]) for line in self.seeds if name in line]
        return float(np.std(values))

    def half(self, name: str) -> float:
        """Half the width of the 95 % interval over users, mean over the seeds."""
        spans = [line[f"{name}_interval"] for line in self.seeds if f"{name}_interval" in line]
        return float(np.mean([(high - low) / 2 for low, high in spans])) if spans else 0.0


def read(file: Path) -> list[Line]:
    """All lines; a last line that was cut is passed over."""
    if not file.exists():
        return []
    lines = []
    for raw in file.read_bytes().splitlines():
        try:
            lines.append(msgspec.json.decode(raw))
        except msgspec.DecodeError:
            continue
    return lines


def measured(lines: Iterable[Line]) -> set[str]:
    """The keys of the cells that were run; comparisons in pairs have none of their own."""
    return {line["key"] for line in lines if "key" in line}


def append(file: Path, rows: Iterable[Line]) -> None:
    """Add rows at once."""
    with file.open("ab") as out:
        out.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def summaries(lines: Iterable[Line]) -> Mapping[Place, Summary]:
    """The newest line of every place and seed; seeds of older code are not averaged with newer."""
    newest: dict[Place, dict[int, Line]] = defaultdict(dict)
    for line in (each for each in lines if "than" not in each):
        told = line.get("training", "")
        place = Place(line["data"], line["protocol"], line["slice"], line["model"], told)
        held = newest[place]
        if held and _version(next(iter(held.values()))) != _version(line):
            held.clear()
        held[line["seed"]] = line
    return {place: Summary(place, list(seeds.values())) for place, seeds in newest.items()}


def compared(lines: Iterable[Line]) -> Mapping[Place, Mapping[str, Line]]:
    """The newest comparison in pairs of each place, by the model that it is compared with."""
    newest: dict[Place, dict[str, Line]] = defaultdict(dict)
    for line in lines:
        if "than" in line:
            newest[Place(*(line[name] for name in Place._fields))][line["than"]] = line
    return newest


def _version(line: Line) -> str:
    """The digest of the code that made a line."""
    told = str(line.get("key", "")).split("/")
    return told[4] if len(told) > 4 else ""  # noqa: PLR2004  data, protocol, model, seed, version
