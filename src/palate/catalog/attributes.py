"""What filters may ask of items beside the fixed columns: kind, tags and the free attributes.

A part of the item columns' projection: each field has a file of its own, made when an item first
brings it, so a site pays for the attributes that it has.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.catalog.item import Item
from palate.catalog.vocabulary import Vocabulary
from palate.expressions.tree import Kind, kind_of
from palate.mapped import Column, Layout, MappedArrays

MOST = 64
"""Fields; what comes later cannot be filtered by."""
PLACES = 16
"""Values of a list that count."""
MOST_VALUES = 2**31 - 1
HEADER = {"fields": "i8", "values": "i8"}
LAYOUTS: dict[Kind, Layout] = {
    "number": Layout({"data": Column("f8", fill=np.nan)}, {}, "number"),
    "flag": Layout({"data": Column("f8", fill=np.nan)}, {}, "flag"),
    "text": Layout({"data": Column("i4", fill=-1)}, {}, "text"),
    "texts": Layout({"data": Column("i4", (PLACES,), -1)}, {}, "texts"),
}


class AttributeColumns:
    """Arrays over item rows, one a field; ``kind`` and ``tags`` are fields too.

    A field keeps the kind of its first value; a value of another kind counts as missing. Texts are
    codes of one vocabulary.
    """

    def __init__(self, header: MappedArrays, directory: Path | None, epoch: int) -> None:
        """`header` publishes how many fields and values there are; `epoch` names the files."""
        self._header, self._directory, self._epoch = header, directory, epoch
        self._fields = Vocabulary(self._file("fields"), lambda: int(header.scalar("fields")))
        self._values = Vocabulary(self._file("values"), lambda: int(header.scalar("values")))
        self._held: dict[str, MappedArrays] = {}

    def kinds(self) -> dict[str, Kind]:
        """Every field and what it holds."""
        return dict(_split(each) for each in self._fields.names())

    def column(self, name: str, size: int) -> NDArray[Any]:
        """(size,) numbers with NaN where missing, or codes with -1; (size, 16) codes of a list."""
        kinds = self.kinds()
        held = self._open(name, kinds[name], write=False)
        if held.capacity < size:
            held.refresh()
        data: NDArray[Any] = held["data"][:size]
        return data if len(data) == size else _padded(data, size)

    def code(self, text: str) -> int:
        """The code of a text; -1 where no item has it."""
        return self._values.code(text)

    def write(self, cleared: Sequence[int], known: Sequence[tuple[int, Item]], size: int) -> None:
        """Writer: forget the rows `cleared`, then show what `known` says."""
        self._learn(item for _, item in known)
        kinds = self.kinds()
        for name, kind in kinds.items():
            held = self._open(name, kind, write=True)
            if held.capacity < size:
                held.grow(max(2 * held.capacity, size))
            held["data"][list(cleared)] = held.layout.columns["data"].fill
        for row, item in known:
            for name, value in _values(item).items():
                if kinds.get(name) == kind_of(value):
                    self._put(self._held[name]["data"], row, value)

    def cut(self) -> bool:
        """Writer: drop what was never published; False where names are missing."""
        return self._fields.cut() and self._values.cut()

    def _put(self, data: NDArray[Any], row: int, value: Any) -> None:
        if isinstance(value, str):
            data[row] = self._values.code(value)
        elif isinstance(value, list | tuple):
            codes = [self._values.code(each) for each in value[:PLACES]]
            data[row, : len(codes)] = codes
        else:
            data[row] = float(value)

    def _learn(self, items: Iterable[Item]) -> None:
        known, kinds, texts = set(self.kinds()), [], []
        for item in items:
            for name, value in _values(item).items():
                kind = kind_of(value)
                if kind and name not in known:
                    known.add(name)
                    kinds.append(f"{kind}:{name}")
                texts += _texts(value)
        fields = self._fields.learn(kinds, MOST)
        self._header.stamp(fields=fields, values=self._values.learn(texts, MOST_VALUES))

    def _open(self, name: str, kind: Kind, *, write: bool) -> MappedArrays:
        held = self._held.get(name)
        if held is None:
            if self._directory is None:
                held = MappedArrays.in_memory(LAYOUTS[kind], 2)
            else:
                place = self._directory / f"{self._epoch}-field-{list(self.kinds()).index(name)}"
                held = MappedArrays.open(place, LAYOUTS[kind], write=write, capacity=2)
            self._held[name] = held
        return held

    def _file(self, name: str) -> Path | None:
        return self._directory / f"{self._epoch}-{name}.jsonl" if self._directory else None


def forget(directory: Path) -> None:
    """Remove every field's files."""
    for place in directory.glob("*-field-*"):
        shutil.rmtree(place)


def _values(item: Item) -> dict[str, Any]:
    """What an item says, by field; the free attributes last, so that none hides a field."""
    fixed: dict[str, Any] = {"kind": item.kind or None, "tags": list(item.tags) or None}
    free = {f"attributes.{name}": value for name, value in item.attributes.items()}
    return {name: value for name, value in (fixed | free).items() if value is not None}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return list(value[:PLACES]) if kind_of(value) == "texts" else []


def _split(field: str) -> tuple[str, Kind]:
    kind, _, name = field.partition(":")
    found: Kind = kind  # type: ignore[assignment]  # what `_learn` wrote
    return name, found


def _padded(data: NDArray[Any], size: int) -> NDArray[Any]:
    fill = np.nan if data.dtype.kind == "f" else -1
    out = np.full((size, *data.shape[1:]), fill, data.dtype)
    out[: len(data)] = data
    return out
