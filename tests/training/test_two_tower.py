"""The towers learn who likes what; the same seed learns the same."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace as changed
from tests.training.conftest import ITEMS, QUICK, board_events
from torch.nn import functional

from palate.events.batch import EventBatch
from palate.events.protocol import Logged
from palate.training import softmax
from palate.training.sequences import Sequences, batch_of, cut_windows, held_out
from palate.training.softmax import NEVER, Softmax, unseen_logits
from palate.training.towers import ItemInputs, encode
from palate.training.two_tower import Plan, Towers, fit, fresh_towers
from palate.training.validation import ndcg, next_item_ranks, popularity_ranks

PLAN = Plan(QUICK.epochs, QUICK.learning_rate, 700, 841)


def board() -> tuple[Sequences, ItemInputs]:
    logged = [Logged(n + 1, 0.0, event) for n, event in enumerate(board_events())]
    batch = EventBatch.encode(logged, lambda ids: np.array([int(i[1:]) for i in ids], np.int32))
    counts = np.bincount(batch.item, minlength=ITEMS)
    content = np.random.Generator(np.random.PCG64(0)).normal(size=(ITEMS, 64)) / 8
    categories = np.full((ITEMS, 8), -1)
    categories[:, 0] = np.arange(ITEMS) % 2
    return Sequences.of(batch), ItemInputs(
        content.astype(np.float32), categories, counts, ("comedy", "horror")
    )


@pytest.fixture(scope="module")
def trained() -> Towers:
    sequences, inputs = board()
    return fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)


def test_people_are_offered_what_their_kind_watches(trained: Towers) -> None:
    sequences, _ = board()
    (steps, *_) = held_out(sequences, QUICK.history, 800, 841)
    with torch.no_grad():
        table = trained.items.eval()()
        hidden = encode(trained.users.eval(), table, steps)[torch.from_numpy(steps.wanted)]
        best = unseen_logits(hidden, table, steps).topk(3, dim=1).indices.numpy()
    parity = steps.targets[steps.wanted] % 2
    assert (best % 2 == parity[:, None]).mean() > 0.95


def test_foreseeing_the_next_item_beats_popularity(trained: Towers) -> None:
    sequences, inputs = board()
    late = held_out(sequences, QUICK.history, PLAN.until, PLAN.validate)
    ours = ndcg(next_item_ranks(trained.items, trained.users, late))
    assert ours > 1.3 * ndcg(popularity_ranks(inputs.counts, late))
    assert ours == pytest.approx(trained.metric)
    assert trained.metric == max(trained.curve)


def test_the_same_seed_gives_the_same_towers(trained: Towers) -> None:
    sequences, inputs = board()
    again = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)
    for ours, theirs in zip(again.items.parameters(), trained.items.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_time_limit_ends_training_once_the_speed_is_known() -> None:
    sequences, inputs = board()
    hurried = changed(QUICK, tower_seconds=0.0)
    towers = fit(fresh_towers(inputs, hurried), sequences, hurried, PLAN, lambda *_: None)
    assert len(towers.curve) <= 2 < QUICK.epochs
    assert towers.epochs >= 1


def test_items_without_events_live_on_their_content_alone() -> None:
    _, inputs = board()
    unknown = inputs._replace(counts=np.zeros(ITEMS, np.int64))
    tower = fresh_towers(unknown, QUICK).items.eval()
    table = tower.table(np.ones(ITEMS, bool))
    plain = inputs.content @ table.content + table.categories[np.arange(ITEMS) % 2]
    np.testing.assert_allclose(table.vectors, plain, atol=1e-5)


def test_the_loss_and_its_gradients_are_those_of_the_textbook() -> None:
    sequences, inputs = board()
    steps = batch_of(sequences, cut_windows(sequences, 5, 900, np.random.default_rng(1))[:7])
    n = int(steps.wanted.sum())
    torch.manual_seed(0)
    hidden = torch.randn(n, 6, requires_grad=True)
    table = torch.randn(ITEMS, 6, requires_grad=True)
    targets = torch.from_numpy(steps.targets[steps.wanted])
    ours = Softmax(inputs.counts, np.random.default_rng(0)).loss(hidden, table, steps)
    ours.backward()
    got = hidden.grad, table.grad
    hidden.grad = table.grad = None
    logits = hidden @ table.T
    mask = torch.zeros(n, ITEMS, dtype=torch.bool)
    mask[softmax.past_of(steps)[0], softmax.past_of(steps)[1]] = True
    theirs = functional.cross_entropy(logits.masked_fill(mask, NEVER), targets)
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert torch.allclose(got[0], hidden.grad, atol=1e-6)
    assert torch.allclose(got[1], table.grad, atol=1e-6)


def test_what_was_seen_before_a_step_is_no_negative_of_it() -> None:
    sequences, _ = board()
    steps = batch_of(sequences, cut_windows(sequences, 6, 900, np.random.default_rng(1))[:5])
    step, item = softmax.past_of(steps)
    targets = steps.targets[steps.wanted]
    assert not (item == targets[step]).any()
    width = steps.items.shape[1]
    places = np.argwhere(steps.wanted)
    assert len(step) == sum(int(at) + 1 for _, at in places)
    assert item.max() < ITEMS
    assert width >= 2


def test_large_catalogues_learn_from_drawn_negatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "FULL_SOFTMAX", 10)
    monkeypatch.setattr(softmax, "NEGATIVES", 30)
    sequences, inputs = board()
    towers = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)
    late = held_out(sequences, QUICK.history, PLAN.until, PLAN.validate)
    assert towers.metric > 1.2 * ndcg(popularity_ranks(inputs.counts, late))
