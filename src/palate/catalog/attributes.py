"""What filters may ask of items beside the fixed columns: kind, tags and the free attributes.

A part of the item columns' projection: each field has a file of its own, made when an item first
brings it, so a site pays for the attributes that it has.
"""

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask
from palate.catalog.item import Item
from palate.catalog.vocabulary import Vocabulary
from palate.expressions.tree import Kind, kind_of
from palate.mapped.files import MappedArrays
from palate.mapped.layouts import Column, Layout

MOST = 64
"""Free attributes; what comes later cannot be filtered by."""
PLACES = 16
"""Codes that a row holds of a list. Of a longer one the last says which whole list it is."""
WHOLE = -2
"""The last place of a row whose list is longer: this, less the code of the list as `_whole`."""
CATEGORIES = "categories"
"""A field only for what the column of categories cannot hold, each list as a whole."""
FIXED = ("kind", "tags", CATEGORIES)
"""They are fields however many attributes there are: rules that hide ask for them."""
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
    codes of one vocabulary, and so are whole lists that are too long for a row: a condition that
    hides what is tagged so has to find the last tag as well as the first.
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
        """(size,) numbers with NaN where missing, or codes with -1; (size, 16) codes of a list.

        What `longer` reads of a list lies below -1.
        """
        kinds = self.kinds()
        held = self._open(name, kinds[name], write=False)
        if held.capacity < size:
            held.refresh()
        data: NDArray[Any] = held["data"][:size]
        return data if len(data) == size else _padded(data, size)

    def code(self, text: str) -> int:
        """The code of a text; -1 where no item has it."""
        return self._values.code(text)

    def text(self, code: int) -> str:
        """The text with this code; "" where there is none."""
        return self._values.name(code)

    def longer(self, codes: NDArray[Any], texts: Iterable[str]) -> Mask:
        """(n,): whether a list that goes on beyond its (n, 16) codes holds one of the texts."""
        last = codes[:, -1]
        asked = [f"\n{json.dumps(text)}\n" for text in texts]
        lists = np.unique(last[last <= WHOLE]).tolist()
        told = {n: self._values.name(WHOLE - n) for n in lists}
        having = [n for n, whole in told.items() if any(each in whole for each in asked)]
        return np.isin(last, having) if having else np.zeros(len(last), np.bool_)

    def write(
        self,
        cleared: Sequence[int],
        known: Sequence[tuple[int, Item]],
        size: int,
        wide: Collection[int] = (),
    ) -> None:
        """Writer: forget the rows `cleared`, then show what `known` says.

        `wide`: rows of items whose categories the column of categories does not hold all.
        """
        said = [(row, _values(item, wide=row in wide)) for row, item in known]
        self._learn(values for _, values in said)
        kinds = self.kinds()
        for name, kind in kinds.items():
            held = self._open(name, kind, write=True)
            if held.capacity < size:
                held.grow(max(2 * held.capacity, size))
            held["data"][list(cleared)] = held.layout.columns["data"].fill
        for row, values in said:
            for name, value in values.items():
                if kinds.get(name) == kind_of(value):
                    self._put(self._held[name]["data"], row, value, _places(name))

    def cut(self) -> bool:
        """Writer: drop what was never published; False where names are missing."""
        return self._fields.cut() and self._values.cut()

    def _put(self, data: NDArray[Any], row: int, value: Any, places: int) -> None:
        if isinstance(value, str):
            data[row] = self._values.code(value)
        elif isinstance(value, list | tuple):
            codes = [self._values.code(each) for each in value[:places]]
            data[row, : len(codes)] = codes
            if len(value) > places:
                data[row, -1] = WHOLE - self._values.code(_whole(value))
        else:
            data[row] = float(value)

    def _learn(self, items: Iterable[Mapping[str, Any]]) -> None:
        known = self.kinds()
        texts: list[str] = []
        new: dict[str, Kind] = {}
        for values in items:
            for name, value in values.items():
                kind = kind_of(value)
                if kind and name not in known:
                    new.setdefault(name, kind)
                texts += _texts(name, value)
        fixed = [f"{kind}:{name}" for name, kind in new.items() if name in FIXED]
        free = [f"{kind}:{name}" for name, kind in new.items() if name not in FIXED]
        self._fields.learn(fixed, MOST + len(FIXED))
        there = sum(name in FIXED for name in known) + len(fixed)
        fields = self._fields.learn(free, MOST + there)
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


def _values(item: Item, *, wide: bool) -> dict[str, Any]:
    """What an item says, by field; the free attributes last, so that none hides a field."""
    fixed: dict[str, Any] = {"kind": item.kind or None, "tags": list(item.tags) or None}
    fixed |= {CATEGORIES: list(item.categories)} if wide else {}
    free = {f"attributes.{name}": value for name, value in item.attributes.items()}
    return {name: value for name, value in (fixed | free).items() if value is not None}


def _places(field: str) -> int:
    """How many values of a list a row holds as codes."""
    return 0 if field == CATEGORIES else PLACES


def _texts(field: str, value: Any) -> list[str]:
    """What of a value needs a code."""
    if isinstance(value, str):
        return [value]
    if kind_of(value) != "texts":
        return []
    places = _places(field)
    return [*value[:places], *([_whole(value)] if len(value) > places else [])]


def _whole(texts: Sequence[str]) -> str:
    """A list as one text in which each of its texts stands between two ends of a line."""
    return "\n".join(["", *map(json.dumps, texts), ""])


def _split(field: str) -> tuple[str, Kind]:
    kind, _, name = field.partition(":")
    found: Kind = kind  # type: ignore[assignment]  # what `_learn` wrote
    return name, found


def _padded(data: NDArray[Any], size: int) -> NDArray[Any]:
    fill = np.nan if data.dtype.kind == "f" else -1
    out = np.full((size, *data.shape[1:]), fill, data.dtype)
    out[: len(data)] = data
    return out
