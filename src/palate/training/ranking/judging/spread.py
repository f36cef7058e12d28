"""How far a page may be spread over what is unlike: as far as costs next to no hits."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from palate.arrays import Floats
from palate.catalog.columns import ItemColumns
from palate.features.record import UserState
from palate.funnel.stages import Rule
from palate.funnel.types import Query, Slate
from palate.reranking.spreading import spreading
from palate.training.gate import level
from palate.training.ranking.lists import RankedList, ndcg

SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
PAGE, SEEN = 20, 100
"""Entries of a page, and how many of the best the rules choose from: as on Home."""
MOST = 2_000
"""Lists that are asked, evenly over all."""


class Spread(NamedTuple):
    """A share of the spreading rules' strength, and NDCG@10 without and with them."""

    share: float
    plain: float
    reached: float

    def __str__(self) -> str:
        return (
            f"Pages are spread over what is unlike at {self.share:.0%} of full strength:"
            f" NDCG@10 {self.reached:.4f} instead of {self.plain:.4f}."
        )


def spread(
    lists: Sequence[RankedList], served: Floats, columns: ItemColumns, cost: float
) -> Spread:
    """The largest share that costs no more than `cost` of NDCG@10; 0 where none does, or none may.

    `served` are the values that order, of all pools end to end. What is lost grows with the share,
    so each trial rules out half of those that are left.
    """
    ends = np.cumsum([0, *(len(each.rows) for each in lists)])
    some = range(0, len(lists), -(-len(lists) // MOST))
    asked = [(lists[at], served[ends[at] : ends[at + 1]]) for at in some]
    plain = _reached(asked, columns, 0.0)
    found, low, high = Spread(0.0, plain, plain), 0, len(SHARES) if cost > 0.0 else 0
    while low < high:
        at = (low + high) // 2
        reached = _reached(asked, columns, SHARES[at])
        if reached >= (1.0 - cost) * plain:
            found, high = Spread(SHARES[at], plain, reached), at
        else:
            low = at + 1
    return found


def _reached(
    asked: Sequence[tuple[RankedList, Floats]], columns: ItemColumns, share: float
) -> float:
    """NDCG@10, mean over users, of pages that are spread so."""
    lists = [each for each, _ in asked]
    orders = [_order(each, served, columns, spreading(share)) for each, served in asked]
    users = np.array([each.user for each in lists], np.uint64)
    return level(ndcg(lists, np.concatenate(orders)), users)


def _order(each: RankedList, served: Floats, columns: ItemColumns, rules: Sequence[Rule]) -> Floats:
    """(pool,): the higher, the higher on the page; 0 of what the rules do not see."""
    out = np.zeros(len(each.rows), np.float32)
    if not each.labels[:, 0].any():
        return out
    best = np.argsort(-served, kind="stable")[:SEEN]
    names = tuple(dict.fromkeys(name for rule in rules for name in rule.reads))
    held = columns.read(each.rows[best], names)
    query = Query("home", UserState.nobody(), PAGE, each.now)
    slate = Slate(np.arange(len(best), dtype=np.int32), served[best], held)
    for rule in rules:
        slate = rule.apply(query, slate)
    out[best[slate.rows]] = np.arange(len(best), 0, -1)
    return out
