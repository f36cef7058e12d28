"""The Gaussian over the click head: its curvature is that of the loss, and it is served."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from tests.training.ranking.test_blend import FACTS, learnt
from tests.training.ranking.test_network import history

from palate.models.ranker import HEADS, RankerModel
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import lay_out, row_weights
from palate.training.ranking.folds import Answer, Fold
from palate.training.ranking.laplace import SPREAD, fit_laplace, stray_of
from palate.training.ranking.lists import RankedList


@cache
def layers() -> torch.Tensor:
    """Of the kept rows of the late lists, end to end."""
    late, network = history()[50:], learnt().network
    with torch.inference_mode():
        layer = network.network.layer(lay_out(late, network).seen)
    return torch.cat([layer[i, : len(each.kept)] for i, each in enumerate(late)]).double()


def test_the_precision_is_the_curvature_of_the_loss_and_a_prior() -> None:
    late = history()[50:]
    made = fit_laplace(learnt(), FACTS, late)
    assert made is not None
    p = torch.from_numpy(learnt().raw(late)[:, 0].clip(1e-6, 1 - 1e-6)).double()
    weights = torch.from_numpy(np.concatenate([row_weights(each) for each in late])).double()

    def loss(deviation: torch.Tensor) -> torch.Tensor:
        logits = torch.logit(p) + layers() @ deviation
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, p, reduction="none")
        return (each * weights).sum()

    width = layers().shape[1]
    curvature: Any = torch.autograd.functional.hessian(loss, torch.zeros(width).double())
    prior = float((layers() ** 2).sum(dim=1).mean()) / SPREAD**2
    np.testing.assert_allclose(made.precision, curvature.numpy() + prior * np.eye(width), rtol=1e-3)


def test_more_lists_make_it_surer_and_none_make_none() -> None:
    some, all_ = (fit_laplace(learnt(), FACTS, history()[at:]) for at in (55, 20))
    assert some is not None
    assert all_ is not None
    rows = layers().numpy().astype(np.float32)
    few, many = (((rows @ each.root().T) ** 2).sum(axis=1).mean() for each in (some, all_))
    assert many < few < SPREAD**2
    assert fit_laplace(learnt(), FACTS, []) is None
    assert fit_laplace(learnt().trees, FACTS, history()) is None


def test_a_release_serves_the_layer_that_was_learnt_from(tmp_path: Path) -> None:
    late = history()[50:]
    facts = export_ranker(tmp_path, learnt(), FACTS)
    made = fit_laplace(learnt(), facts, late)
    assert made is not None
    made.save(tmp_path)
    columns = [FACTS.features.index(name) for name in facts.features]
    rows = np.concatenate([each.features for each in late])[:, columns]
    model = RankerModel.load(tmp_path)
    said = model.said(rows)
    assert said.layer is not None
    assert model.doubt is not None
    np.testing.assert_allclose(said.layer, layers().numpy(), atol=1e-3)
    np.testing.assert_array_equal(said.heads, model.predict(rows))


def test_a_release_of_an_older_version_serves_without(tmp_path: Path) -> None:
    facts = export_ranker(tmp_path, learnt(), FACTS)
    file = tmp_path / "ranker.onnx"
    network = onnx.load(file)
    del network.graph.output[1]
    onnx.save(network, file)
    columns = [FACTS.features.index(name) for name in facts.features]
    rows = history()[50].features[:, columns]
    model = RankerModel.load(tmp_path)
    assert model.said(rows).layer is None
    assert model.doubt is None
    assert model.predict(rows).shape == (len(rows), len(HEADS))


def folds(stray: float) -> list[Fold]:
    """One fold whose items are taken more or less than expected, by so much in their logit."""
    dice = np.random.Generator(np.random.PCG64(5))
    items, lists = 60, 400
    own = np.exp(stray * dice.standard_normal(items) - stray**2 / 2)
    said = np.full((lists * items, 4), 0.1, np.float32)
    judge: list[RankedList] = []
    for _ in range(lists):
        labels = np.zeros((items, 4), np.float32)
        labels[:, 0] = dice.random(items) < 0.1 * own
        judge.append(replace(
            history()[0], rows=np.arange(items, dtype=np.int32), labels=labels,
            kept=np.arange(items), features=np.zeros((items, 1), np.float32), weight=1.0,
        ))  # fmt: skip
    nothing = np.zeros(0)
    answer = Answer(said, said, said[:, 0], nothing, 1, learnt())
    return [Fold(judge, {}, {}, {"blend": answer})]


def test_how_far_items_stray_is_found_again() -> None:
    assert abs(stray_of(folds(0.7), "blend") - 0.7) < 0.2
    assert stray_of(folds(0.0), "blend") == 0.3
