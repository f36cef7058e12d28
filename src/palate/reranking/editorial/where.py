"""A condition on items, asked of the few rows that a request is about."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.filterable import Chosen, Filterable
from palate.expressions.check import checked
from palate.expressions.mask import MINUTE, Scope, mask
from palate.expressions.presume import presumed
from palate.expressions.tree import VISITOR, Condition, Now, fields, parts
from palate.funnel.types import Query


@dataclass(frozen=True, slots=True)
class Where:
    """Which items a rule is about."""

    condition: Condition | None
    """None holds of every item: what cannot be told apart is taken for all of it."""
    catalogue: ItemColumns

    @classmethod
    def of(cls, text: str, catalogue: ItemColumns, pointer: str = "/where") -> Self:
        """Compile. Raises BadInput that points at the character."""
        return cls(checked(text, Filterable(catalogue).schema(), pointer), catalogue)

    @property
    def lasting(self) -> bool:
        """Whether it says the same of everybody at all times."""
        if self.condition is None:
            return True
        asks = any(each.name.startswith(VISITOR) for each in fields(self.condition))
        return not asks and not any(isinstance(each, Now) for each in parts(self.condition))

    def everywhere(self) -> Rows:
        """Servable rows of the whole catalogue where it holds; of a lasting condition."""
        size = self.catalogue.size
        servable = self.catalogue.servable[:size] != 0
        if self.condition is not None:
            scope = Scope(0.0, {})
            servable = servable & mask(self.condition, Filterable(self.catalogue), scope, size)
        return np.flatnonzero(servable).astype(np.int32)

    def holds(self, query: Query, rows: Rows) -> Mask:
        """(len(rows),): True where it holds, for this visitor and now."""
        return self._asked(self.condition, query, rows)

    def may_hold(self, query: Query, rows: Rows) -> Mask:
        """The same, true too where the visitor is not known well enough: for what hides."""
        if self.condition is None:
            return self._asked(None, query, rows)
        return self._asked(presumed(self.condition, query.values), query, rows)

    def _asked(self, condition: Condition | None, query: Query, rows: Rows) -> Mask:
        if condition is None:
            return np.ones(len(rows), np.bool_)
        scope = Scope(query.now // MINUTE * MINUTE, query.values)
        return mask(condition, Chosen(self.catalogue, rows), scope, len(rows))
