"""The served ranker: calibrated, monotone, and able to say what moved a value."""

from pathlib import Path

import numpy as np
import pytest
import torch

from palate.arrays import Floats
from palate.models.ranker import HEADS, Knots, RankerFacts, RankerModel
from palate.training.export import export_ranker
from palate.training.ranking.network import RankerNetwork

WIDTH = 5
NAMES = tuple("abcde")


@pytest.fixture
def rows() -> Floats:
    dice = np.random.Generator(np.random.PCG64(2))
    return (dice.normal(size=(40, WIDTH)) * [1, 10, 100, 0.1, 1]).astype(np.float32)


@pytest.fixture
def network(rows: Floats) -> RankerNetwork:
    torch.manual_seed(0)
    network = RankerNetwork(rows)
    torch.nn.init.normal_(network.straight.weight)
    with torch.no_grad():
        network.straight.weight[:, 4] = 0
        network.body[0].weight[:, 4] = 0
    return network


@pytest.fixture
def model(network: RankerNetwork, rows: Floats, tmp_path: Path) -> RankerModel:
    knots = {"click": Knots((0.0, 1.0), (0.0, 0.5))}
    means = tuple(map(float, rows.mean(axis=0)))
    export_ranker(tmp_path, network, RankerFacts(features=NAMES, means=means, knots=knots))
    return RankerModel.load(tmp_path)


def test_predicts_what_the_trained_network_predicts_calibrated(
    model: RankerModel, network: RankerNetwork, rows: Floats
) -> None:
    with torch.no_grad():
        raw = network.eval()(torch.from_numpy(rows)).numpy()
    got = model.predict(rows)
    np.testing.assert_allclose(got[:, 0], raw[:, 0] * 0.5, atol=1e-3)
    np.testing.assert_allclose(got[:, 1:], raw[:, 1:], atol=1e-3)
    assert model.features == NAMES
    assert model.heads == HEADS


def test_a_feature_that_never_varied_in_training_says_nothing_in_life(rows: Floats) -> None:
    constant = rows.copy()
    constant[:, 2] = 7.0
    torch.manual_seed(0)
    network = RankerNetwork(constant).eval()
    varied = constant.copy()
    varied[:, 2] = np.linspace(-100, 100, len(rows))
    with torch.no_grad():
        before, after = (network(torch.from_numpy(x)) for x in (constant, varied))
    assert torch.equal(before, after)


def test_no_rows_no_predictions(model: RankerModel) -> None:
    assert model.predict(np.empty((0, WIDTH), np.float32)).shape == (0, len(HEADS))


def test_calibration_keeps_the_order_even_on_its_flat_steps() -> None:
    flat = Knots((0.0, 0.2, 0.8, 1.0), (0.1, 0.3, 0.3, 0.9))
    raw = np.linspace(0, 1, 50, dtype=np.float32)
    assert (np.diff(flat.apply(raw)) > 0).all()


def test_the_value_is_the_weighted_sum_of_the_heads(model: RankerModel, rows: Floats) -> None:
    value = model.value(rows, {"click": 1.0, "negative": -0.5})
    heads = model.predict(rows)
    np.testing.assert_allclose(value, heads[:, 0] - 0.5 * heads[:, 2], rtol=1e-5)


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
