"""The ranker's trees are heard alone, on what the funnel last ranked."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from palate.evaluation.overhearing import Watched, grown
from palate.funnel.types import Pool, Query
from palate.models.ranker import RankerFacts
from palate.models.trees import Trees
from palate.ranking.fusion import Fusion
from palate.ranking.network import Network

STUMP = Trees(
    np.array([0, -1, -1], np.int32),
    np.array([0.5, -1.0, 1.0]),
    np.array([1, -1, -1], np.int32),
    np.array([2, -1, -1], np.int32),
    np.array([0], np.int32),
)
"""-1 where the first feature is at most 0.5, else 1."""


@dataclass
class Backwards:
    """A model whose trees say one thing and whose answer another."""

    trees = STUMP

    doubt = None

    def said(self, features: Any, *_: Any) -> Any:
        return 1.0 - features, None

    def personal(self, _: Any, values: Any, __: Any) -> Any:
        return values


def test_the_trees_order_alone_what_the_ranker_orders_with_others() -> None:
    pool = Pool.none(("a",)).joined(np.array([7, 8], np.int32))
    features = np.array([[0.1], [0.9]], np.float32)
    stores = cast("Any", SimpleNamespace(release=None))
    model: Any = Backwards()
    model.facts = RankerFacts(features=("one",), means=(0.0,), knots={})
    network = Network(model, np.ones(1, np.float32), stores)
    watched = Watched(network)
    query = cast("Query", SimpleNamespace(surface="home", known=3.0, idle=0.0))
    assert watched.score(query, pool, features).argmax() == 0
    rows, scores = grown(watched)
    assert rows[scores.argmax()] == 8


def test_a_ranker_without_trees_has_nothing_to_say_alone() -> None:
    rows, scores = grown(Watched(Fusion()))
    assert not len(rows)
    assert not len(scores)
