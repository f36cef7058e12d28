"""The fields of items that a condition may name, on top of the item columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.expressions.tree import Kind

FIXED: Mapping[str, tuple[str, Kind]] = {
    "published_at": ("published", "time"),
    "expires_at": ("expires", "time"),
    "min_age": ("min_age", "number"),
    "categories": ("categories", "texts"),
    "creator_id": ("creator", "text"),
}
"""Field -> the column that holds it, and its kind."""
KINDS: Mapping[str, Kind] = {
    **{name: kind for name, (_, kind) in FIXED.items()},
    "kind": "text",
    "tags": "texts",
}
"""What every catalogue has, whatever its items."""
FREE = "attributes."


class Filterable:
    """Looks a field up among the fixed columns, then among the free attributes.

    An attribute is named ``attributes.year`` or, where no field has that name, ``year``.
    """

    def __init__(self, columns: ItemColumns) -> None:
        self._columns = columns

    def schema(self) -> dict[str, Kind]:
        """Every name and what it holds, as of now."""
        held = self._columns.attributes.kinds()
        found = {**KINDS, **held}
        for name, kind in held.items():
            found.setdefault(name.removeprefix(FREE), kind)
        return found

    def kind(self, name: str) -> Kind:
        held = self._columns.attributes.kinds()
        known = held.get(name) or KINDS.get(name)
        return known or held[f"{FREE}{name}"]

    def numbers(self, name: str) -> Doubles:
        return np.asarray(self._data(name), np.float64)

    def codes(self, name: str) -> NDArray[np.integer[Any]]:
        return self._data(name)

    def code(self, name: str, text: str) -> int:
        if name == "categories":
            return self._columns.category_code(text)
        if name == "creator_id":
            return self._columns.creator_code(text)
        return self._columns.attributes.code(text)

    def words(self, name: str) -> list[str]:
        """Texts that items have in a field, but for those of a list beyond what `codes` gives."""
        codes = self.codes(name)
        there = np.zeros(int(codes.max(initial=-1)) + 1, np.bool_)
        there[codes[codes >= 0]] = True
        own = {"categories": self._columns.category_name, "creator_id": self._columns.creator_name}
        text = own.get(name, self._columns.attributes.text)
        return [text(code) for code in np.flatnonzero(there).tolist()]

    def longer(self, name: str, texts: Sequence[str]) -> Mask:
        attributes, size = self._columns.attributes, self._size()
        held = attributes.kinds()
        own = name if name in held else f"{FREE}{name}"
        if held.get(own) != "texts":
            return self._taken(np.zeros(size, np.bool_))
        return attributes.longer(self._taken(attributes.column(own, size)), texts)

    def _size(self) -> int:
        return self._columns.size

    def _taken(self, data: NDArray[Any]) -> NDArray[Any]:
        """What of a column is looked at."""
        return data

    def _data(self, name: str) -> NDArray[Any]:
        return self._taken(self._column(name))

    def _column(self, name: str) -> NDArray[Any]:
        size = self._size()
        if name in FIXED:
            return np.asarray(getattr(self._columns, FIXED[name][0])[:size])
        held = self._columns.attributes.kinds()
        if name not in held:
            name = f"{FREE}{name}"
        if name not in held:  # kind or tags, which no item has
            return np.full(size, -1, np.int32)
        return self._columns.attributes.column(name, size)


class Chosen(Filterable):
    """The same fields of a few rows, in their order."""

    def __init__(self, columns: ItemColumns, rows: Rows) -> None:
        super().__init__(columns)
        self._rows = rows

    def _size(self) -> int:
        """Rows of items that the catalogue never heard of too: they have nothing."""
        return max(self._columns.size, int(self._rows.max(initial=-1)) + 1)

    def _taken(self, data: NDArray[Any]) -> NDArray[Any]:
        return data[self._rows]
