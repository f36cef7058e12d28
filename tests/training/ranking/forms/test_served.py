"""The network as it serves says what it learnt, and works out a visitor's part once."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from tests.models.test_ranker import raw_of

from palate.arrays import Floats
from palate.models.ranker import HEADS, RankerFacts, RankerModel, Taste, unit
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.forms.served import write_by_row
from palate.training.ranking.network import RankerNetwork, Shape, spread_of

NAMES = ("covisit_rank", "user_acts", "item_engaged", "hour_sin", "popular_rank")
MINE, VOTES = (1, 3), {0: 1.0, 4: 0.5}
DIM = 8
DICE = np.random.default_rng(5)
ROWS = np.abs(DICE.normal(size=(40, len(NAMES)))).astype(np.float32)


def one_visitor(rows: Floats) -> Floats:
    """The same rows, asked for by one."""
    told = rows.copy()
    told[:, MINE] = rows[0, MINE]
    return told


@pytest.fixture
def learnt() -> Fitted:
    torch.manual_seed(4)
    network = RankerNetwork(Shape(len(NAMES), DIM), VOTES).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return Fitted(network, spread_of(ROWS), np.zeros((0, DIM), np.float32), np.arange(len(NAMES)))


@pytest.fixture
def taste() -> Taste:
    items = unit(DICE.normal(size=(len(ROWS), DIM)).astype(np.float32))
    return Taste(items, items[:3], np.array([0, 1, 2]))


def exported(learnt: Fitted, folder: Path) -> RankerModel:
    means = (0.0,) * len(NAMES)
    facts = RankerFacts(features=NAMES, means=means, knots={}, heads=HEADS, vectors="content")
    export_ranker(folder, learnt, facts)
    return RankerModel.load(folder)


@pytest.mark.parametrize("rows", [ROWS, one_visitor(ROWS)], ids=["several", "one"])
def test_it_says_what_the_trained_network_says_of_one_visitor_and_of_several(
    learnt: Fitted, taste: Taste, rows: Floats, tmp_path: Path
) -> None:
    model = exported(learnt, tmp_path)
    assert model.facts.visitor == MINE
    got = model.said(rows, taste)
    expected, layer = raw_of(learnt, rows, taste)
    np.testing.assert_allclose(got.heads, expected, rtol=2e-5, atol=1e-6)
    assert got.layer is not None
    np.testing.assert_allclose(got.layer, layer, rtol=2e-5, atol=1e-5)


def test_each_candidate_is_judged_alone(learnt: Fitted, taste: Taste, tmp_path: Path) -> None:
    model, rows = exported(learnt, tmp_path), one_visitor(ROWS)
    few = Taste(taste.candidates[7:9], *taste[1:])
    whole = model.predict(rows, taste)
    np.testing.assert_allclose(model.predict(rows[7:9], few), whole[7:9], rtol=1e-5)


def test_a_release_whose_network_reads_a_row_as_a_whole_serves_as_before(
    learnt: Fitted, taste: Taste, tmp_path: Path
) -> None:
    model, rows = exported(learnt, tmp_path), one_visitor(ROWS)
    write_by_row(tmp_path / "ranker.onnx", learnt.network)
    told = msgspec.json.decode((tmp_path / "ranker.json").read_bytes())
    del told["visitor"]
    (tmp_path / "ranker.json").write_bytes(msgspec.json.encode(told))
    older = RankerModel.load(tmp_path)
    np.testing.assert_allclose(
        older.predict(rows, taste), model.predict(rows, taste), rtol=1e-5, atol=1e-6
    )
