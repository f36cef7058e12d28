"""Features as pages were shown with: what was known at that very moment, where it was kept.

Replay finds the same numbers again, but for what no log holds: an item's description of that day,
how far the stream worker had come, the client's clock. So where the offline store has a page's
features, they are learnt from. Only what a release brings is made anew, the word of a generator
and nearness by towers or content: the ranker has to learn from the models that it will be served
with. And only pages of the live release are taken, whose definitions can be compared with today's.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.errors import CorruptStore
from palate.features.offline.protocol import OfflineStore
from palate.features.sources import generator_of
from palate.features.vector import feature_of, meanings
from palate.releases.manifest import Manifest
from palate.streaming.shown import FEATURE

BROUGHT = ("two-tower", "generator", "covisit")
"""What a source may be read from that comes, or may come, with a release."""
CONTENT = ("content", "focus")
"""Sources that compare content vectors, which a release encodes."""
CLOSE = 1e-3
"""How far, of its size, a replayed number may be off and still count as the same."""


def lasting(name: str) -> bool:
    """Whether a feature reads nothing that a release brings.

    >>> lasting("item_engaged_1d"), lasting("tower_last"), lasting("content_best_3")
    (True, False, False)
    """
    feature = feature_of(name)
    if feature is None or generator_of(feature.value.part):
        return False
    read = [part for part in (feature.value.part, feature.value.whole) if part]
    if any(part.startswith(CONTENT) and part != "content_known" for part in read):
        return False
    return not any(word in source.of for source in feature.sources for word in BROUGHT)


@dataclass(slots=True)
class AsShown:
    """Features of pages, by the log position of the page; and how replay agrees with them."""

    columns: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """Which of the features learnt from were kept."""
    pages: Mapping[int, tuple[Rows, Floats]] = field(default_factory=dict)
    """Rows of the page, and (rows, columns) values, NaN where there is none."""
    told: int = 0
    """Numbers that were taken as they were shown, …"""
    agreed: int = 0
    """… and those of them that replay found too."""

    @classmethod
    def of(
        cls,
        store: OfflineStore,
        live: Manifest | None,
        names: Sequence[str],
        positions: Collection[int],
        rows_of: Callable[[Sequence[str]], Rows],
    ) -> Self:
        """Read what the store has of the pages at these log positions; nothing where it cannot."""
        parts, last = store.held().of("shown"), max(positions, default=-1)
        parts = [each for each in parts if each.first <= last and each.last >= min(positions)]
        if live is None or not parts:
            return cls()
        today, then = meanings(names), live.definitions
        kept = [at for at, n in enumerate(names) if lasting(n) and then.get(n) == today[n]]
        try:
            found = store.scan(parts)
            there = set(found.collect_schema().names())
            kept = [at for at in kept if FEATURE + names[at] in there]
            wanted = [FEATURE + names[at] for at in kept]
            table = (
                found.filter(pl.col("log_position").is_in(list(positions)))
                .filter((pl.col("release") == live.name) & (pl.col("item_id") != ""))
                .select("log_position", "item_id", *wanted)
                .collect()
            )
        except (CorruptStore, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return cls()  # the join may be rewriting a part; replay knows next to the same
        if not kept or not len(table):
            return cls()
        return cls(np.array(kept, np.intp), _by_page(table, wanted, rows_of))

    def over(self, position: int, rows: Rows, replayed: Floats) -> Floats:
        """The features of a page's rows, (rows, features): as shown where that was kept."""
        page = self.pages.get(position)
        if page is None:
            return replayed
        shown, values = page
        order = np.argsort(shown, kind="stable")
        at = order[np.minimum(np.searchsorted(shown[order], rows), len(shown) - 1)]
        kept = np.where((shown[at] == rows)[:, None], values[at], np.float32(np.nan))
        there, again = np.isfinite(kept), replayed[:, self.columns]
        near = np.abs(kept - again) <= CLOSE * np.maximum(np.abs(kept), 1.0)
        self.told += int(there.sum())
        self.agreed += int((near & there).sum())
        out = replayed.copy()
        out[:, self.columns] = np.where(there, kept, again)
        return out

    def numbers(self) -> dict[str, float]:
        """For the manifest."""
        if not self.told:
            return {}
        return {"logged/numbers": float(self.told), "logged/agreed": self.agreed / self.told}


def _by_page(
    table: pl.DataFrame, wanted: Sequence[str], rows_of: Callable[[Sequence[str]], Rows]
) -> dict[int, tuple[Rows, Floats]]:
    rows = rows_of(table["item_id"].to_list())
    values = table.select(pl.col(wanted).cast(pl.Float32).fill_null(np.nan)).to_numpy()
    positions = table["log_position"].to_numpy()
    order = np.argsort(positions, kind="stable")
    found, starts = np.unique(positions[order], return_index=True)
    cuts = np.split(order, starts[1:])
    return {
        int(position): (rows[cut].astype(np.int32), values[cut].astype(np.float32))
        for position, cut in zip(found, cuts, strict=True)
    }
