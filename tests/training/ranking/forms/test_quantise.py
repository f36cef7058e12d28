"""Eight bits ship only where they lose next to nothing."""

from pathlib import Path

import numpy as np
import pytest
from tests.training.ranking.test_network import NAMES, NOTHING, VOTES, history, quietly

from palate.models.ranker import HEADS, RankerFacts, RankerModel
from palate.settings import RankingSettings, TrainingSettings
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted, Recipe, fit_ranker
from palate.training.ranking.forms import quantise as module
from palate.training.ranking.forms.quantise import Reading, quantise

VALUE = RankingSettings().value


def learnt(folder: Path) -> Fitted:
    fitted = fit_ranker(history()[:50], [], Recipe(VOTES, NOTHING), TrainingSettings(), quietly)
    facts = RankerFacts(features=NAMES, means=(0.0,) * len(NAMES), knots={}, heads=HEADS)
    export_ranker(folder, fitted, facts)
    return fitted


def read_by(fitted: Fitted) -> Reading:
    return Reading(fitted.reads.tolist(), VALUE)


def test_eight_bits_say_nearly_the_same_and_what_is_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOSS", 1.0)
    monkeypatch.setattr(module, "SLOWEST", float("inf"))
    fitted, lists = learnt(tmp_path), history()
    whole = (tmp_path / "ranker.onnx").read_bytes()
    before = RankerModel.load(tmp_path).predict(fitted.inputs(lists[55]))
    told = quantise(tmp_path, fitted, lists, read_by(fitted))
    after = RankerModel.load(tmp_path).predict(fitted.inputs(lists[55]))
    assert told["ranker/int8/shipped"] == 1.0
    assert abs(told["ranker/int8/loss"]) < 0.1
    assert (tmp_path / "ranker.onnx").read_bytes() != whole
    assert np.abs(after - before).max() < 0.1
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".onnx") == ["ranker.onnx"]


@pytest.mark.parametrize("missing", ["LOSS", "SLOWEST"])
def test_a_network_that_would_lose_hits_or_win_no_time_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(module, "LOSS", 1.0)
    monkeypatch.setattr(module, "SLOWEST", float("inf"))
    monkeypatch.setattr(module, missing, -1.0)
    fitted = learnt(tmp_path)
    whole = (tmp_path / "ranker.onnx").read_bytes()
    assert quantise(tmp_path, fitted, history(), read_by(fitted))["ranker/int8/shipped"] == 0.0
    assert (tmp_path / "ranker.onnx").read_bytes() == whole
    assert quantise(tmp_path, fitted, [], read_by(fitted)) == {}


@pytest.mark.parametrize(("time", "shipped"), [(1.0, 0.0), (0.95, 0.0), (0.85, 0.0), (0.6, 1.0)])
def test_noise_of_the_stopwatch_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: float, shipped: float
) -> None:
    monkeypatch.setattr(module, "LOSS", 1.0)
    monkeypatch.setattr(module, "_time_of", lambda *_: time)
    fitted = learnt(tmp_path)
    assert quantise(tmp_path, fitted, history(), read_by(fitted))["ranker/int8/shipped"] == shipped
