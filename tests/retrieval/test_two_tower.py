"""The two-tower generator over a real tower whose item vectors are the content vectors."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from palate.index.exact import ExactIndex
from palate.models.two_tower import ItemTable, TowerFacts
from palate.models.two_tower import TwoTower as Model
from palate.retrieval.two_tower import TwoTower
from palate.stores import Stores, with_release
from palate.testing.generators import proposed
from palate.testing.tiny import tiny_names, tiny_row, tiny_stores, tiny_world
from palate.training.export import write_user
from palate.training.towers import Block, UserTower


def last_item() -> UserTower:
    """A user tower with its gates shut: what it says of somebody is their last item's vector."""
    tower = UserTower(64, 20, 1, 0.0)
    [block] = cast("list[Block]", list(tower.blocks))
    with torch.no_grad():
        for gate in block.gates:
            gate.weight.zero_()
            gate.bias.fill_(-100.0)
        for told in (tower.outcomes, tower.recency):
            told.weight.zero_()
    return tower


class Released:
    """A release of which only the tower matters here."""

    fusion: dict[str, float] = {}
    ranker = content = None

    def __init__(self, tower: Model) -> None:
        self.two_tower = tower


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    file = tmp_path_factory.mktemp("tower") / "user.onnx"
    write_user(file, last_item(), 64)
    columns = tiny_stores().columns
    rows = np.arange(60, dtype=np.int32)
    vectors = columns.read(rows, ("content",))["content"]
    nothing = np.zeros((1, 64), np.float32)
    table = ItemTable(vectors, np.ones(60, np.bool_), np.eye(64, dtype=np.float32), nothing)
    facts = TowerFacts(dim=64, history=20, categories=("none",))
    released: Any = Released(Model(facts, table, file, ExactIndex(rows, vectors)))
    return with_release(tiny_stores(), released)


def test_it_proposes_what_is_near_to_the_visitor(stores: Stores) -> None:
    found = proposed(TwoTower.default(stores), tiny_world().query("u1"), 9)
    assert {name.partition("-")[0] for name in tiny_names(found.rows)} == {"comedy"}
    assert len(proposed(TwoTower.default(stores), tiny_world().query(), 9)) == 0


def test_it_leaves_out_what_is_excluded_and_what_is_not_servable(stores: Stores) -> None:
    query = replace(tiny_world().query("u1"), excluded=np.arange(10, 15, dtype=np.int32))
    rows = proposed(TwoTower.default(stores), query, 60).rows.tolist()
    assert not set(rows) & {*range(10, 15), tiny_row("action-9"), tiny_row("space-9")}
    assert len(rows) == 53


def test_beside_a_seed_it_proposes_what_is_near_to_that(stores: Stores) -> None:
    seeded = replace(
        tiny_world().query(), seed_item=tiny_row("space-1"), excluded=np.array([52], np.int32)
    )
    found = proposed(TwoTower.default(stores), seeded, 5)
    assert {name.partition("-")[0] for name in tiny_names(found.rows)} == {"space"}
    assert 52 not in found.rows
    assert TwoTower.default(stores).explain(seeded, 53).rows == (tiny_row("space-1"),)


def test_its_reason_names_those_of_the_last_items_that_are_most_alike(stores: Stores) -> None:
    query = tiny_world().query("u1")
    reason = TwoTower.default(stores).explain(query, tiny_row("comedy-1"))
    content, recent = stores.columns.content_vectors, query.about(10)
    best = recent[np.argmax(content[recent] @ content[tiny_row("comedy-1")])]
    assert (reason.kind, reason.rows[0], len(reason.rows)) == ("taste", int(best), 2)
