"""The served ranker: calibrated, monotone, and able to say what moved a value."""

from pathlib import Path

import numpy as np
import pytest
import torch

from palate.arrays import Floats
from palate.models.ranker import HEADS, Knots, RankerFacts, RankerModel, Taste, unit
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.network import RankerNetwork, Seen, Shape, spread_of

WIDTH = 5
NAMES = tuple("abcde")


@pytest.fixture
def rows() -> Floats:
    dice = np.random.Generator(np.random.PCG64(2))
    return (dice.normal(size=(40, WIDTH)) * [1, 10, 100, 0.1, 1]).astype(np.float32)


@pytest.fixture
def network(rows: Floats) -> Fitted:
    torch.manual_seed(0)
    network = RankerNetwork(Shape(WIDTH))
    torch.nn.init.normal_(network.straight.weight)
    with torch.no_grad():
        network.straight.weight[:, 4] = 0
        network.body.into.weight[:, 4] = 0
        network.body.deep[0].weight[:, 4] = 0
    nothing = np.zeros((0, 0), np.float32)
    return Fitted(network.eval(), spread_of(rows), nothing, np.arange(WIDTH))


@pytest.fixture
def model(network: Fitted, rows: Floats, tmp_path: Path) -> RankerModel:
    knots = {"click": Knots((0.0, 1.0), (0.0, 0.5))}
    means = tuple(map(float, rows.mean(axis=0)))
    facts = RankerFacts(features=NAMES, means=means, knots=knots, heads=HEADS)
    export_ranker(tmp_path, network, facts)
    return RankerModel.load(tmp_path)


def raw_of(network: Fitted, rows: Floats, taste: Taste | None = None) -> tuple[Floats, Floats]:
    """Raw probabilities and the layer, as the network says them in training."""
    one = [network.gauss(rows), rows[:, list(network.network.close)]]
    one += taste or (np.zeros((len(rows), 0), np.float32), np.zeros((0, 0)), np.zeros(0, np.int64))
    seen = Seen(*(torch.from_numpy(each)[None] for each in one))
    with torch.no_grad():
        layer = network.network.layer(seen)
        raw = network.network.probabilities(seen, layer)
    return raw[0].numpy(), layer[0].numpy()


def test_predicts_what_the_trained_network_predicts_calibrated(
    model: RankerModel, network: Fitted, rows: Floats
) -> None:
    (raw, _), got = raw_of(network, rows), model.predict(rows)
    np.testing.assert_allclose(got[:, 0], raw[:, 0] * 0.5, atol=1e-3)
    np.testing.assert_allclose(got[:, 1:], raw[:, 1:], atol=1e-3)
    assert model.features == NAMES
    assert model.heads == HEADS


def test_a_surface_with_a_curve_of_its_own_is_calibrated_by_it(
    network: Fitted, rows: Floats, tmp_path: Path
) -> None:
    own = {"shelf": {"click": Knots((0.0, 1.0), (0.0, 0.25))}}
    means = (0.0,) * WIDTH
    facts = RankerFacts(features=NAMES, means=means, knots={}, surfaces=own, heads=HEADS)
    export_ranker(tmp_path, network, facts)
    model = RankerModel.load(tmp_path)
    home, shelf = model.predict(rows), model.predict(rows, surface="shelf")
    np.testing.assert_allclose(shelf[:, 0], home[:, 0] * 0.25, atol=1e-3)


def test_a_feature_that_never_varied_in_training_says_nothing_in_life(rows: Floats) -> None:
    constant = rows.copy()
    constant[:, 2] = 7.0
    gauss = spread_of(constant)
    varied = constant.copy()
    varied[:, 2] = np.linspace(-100, 100, len(rows))
    np.testing.assert_array_equal(gauss(constant), gauss(varied))


def test_the_history_moves_what_is_like_it(rows: Floats, tmp_path: Path) -> None:
    torch.manual_seed(3)
    dim = 8
    untrained = RankerNetwork(Shape(WIDTH, dim)).eval()
    network = Fitted(untrained, spread_of(rows), rows[:, :0], np.arange(WIDTH))
    torch.nn.init.normal_(network.network.body.crossed.weight)
    means = (0.0,) * WIDTH
    facts = RankerFacts(
        features=NAMES, means=means, knots={}, heads=HEADS, vectors="content", history=5
    )
    export_ranker(tmp_path, network, facts)
    model = RankerModel.load(tmp_path)
    dice = np.random.Generator(np.random.PCG64(2))
    items = unit(dice.normal(size=(len(rows), dim)).astype(np.float32))
    past = Taste(items, items[:3], np.array([0, 1, 2]))
    nobody = Taste(items, items[:0], np.zeros(0, np.int64))
    assert np.abs(model.predict(rows, past) - model.predict(rows, nobody)).max() > 1e-4
    np.testing.assert_allclose(model.predict(rows, nobody), model.predict(rows), atol=1e-6)


def test_no_rows_no_predictions(model: RankerModel) -> None:
    assert model.predict(np.empty((0, WIDTH), np.float32)).shape == (0, len(HEADS))


def test_calibration_keeps_the_order_even_on_its_flat_steps() -> None:
    flat = Knots((0.0, 0.2, 0.8, 1.0), (0.1, 0.3, 0.3, 0.9))
    raw = np.linspace(0, 1, 50, dtype=np.float32)
    assert (np.diff(flat.apply(raw)) > 0).all()


def test_the_value_is_the_weighted_sum_of_the_heads(model: RankerModel, rows: Floats) -> None:
    value = model.value(rows, {"click": 1.0, "negative": -0.5})
    heads = model.predict(rows)
    np.testing.assert_allclose(value, heads[:, 0] - 0.5 * heads[:, 3], rtol=1e-5)


def test_a_feature_contributes_what_changes_when_it_is_replaced_by_its_mean(
    model: RankerModel, rows: Floats
) -> None:
    weights = {"click": 1.0}
    parts = model.contributions(rows[:3], weights)
    replaced = rows[:3].copy()
    replaced[:, 1] = rows[:, 1].mean()
    expected = model.value(rows[:3], weights) - model.value(replaced, weights)
    np.testing.assert_allclose(parts[:, 1], expected, atol=1e-5)
    np.testing.assert_allclose(parts[:, 4], 0, atol=1e-6)
