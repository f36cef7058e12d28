"""The towers learn who likes what; the same seed learns the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace as changed
from tests.training.conftest import ITEMS, QUICK, board_events
from torch.nn import functional

from palate.events.batch import EventBatch
from palate.events.protocol import Logged
from palate.settings import CovisitSettings, TrainingSettings
from palate.training import sizing, softmax, two_tower
from palate.training import towers as towers_module
from palate.training.checkpoint import Checkpoint
from palate.training.sequences import Sequences, Steps, Window, batch_of, cut_windows
from palate.training.sizing import sized
from palate.training.softmax import NEVER, Softmax
from palate.training.towers import HEADS, ItemInputs, encode
from palate.training.two_tower import Plan, Towers, fit, fresh_towers
from palate.training.validation import (
    CHOOSING,
    counted_marks,
    held_out,
    mean,
    ndcg,
    tower_marks,
    unseen,
)

PLAN = Plan(QUICK.epochs, QUICK.learning_rate, 700, 841)


def windows_of(sequences: Sequences, history: int, many: int) -> Steps:
    windows = cut_windows(sequences, history, 900, np.random.default_rng(1))[:many]
    return batch_of(sequences, windows, sequences.next_ones(0, 900))


def weights(towers: Towers) -> list[torch.Tensor]:
    return [*towers.items.parameters(), *towers.users.parameters()]


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
    late = held_out(sequences, QUICK.history, 800, 841)[0]
    steps = late.steps
    with torch.no_grad():
        table = trained.items.eval()()
        hidden = encode(trained.users.eval(), table, steps)[torch.from_numpy(steps.wanted)]
        best = unseen(hidden @ table.T, late.past).topk(3, dim=1).indices.numpy()
    parity = steps.targets[steps.wanted] % 2
    assert (best % 2 == parity[:, None]).mean() > 0.95


def test_foreseeing_the_next_item_beats_popularity(trained: Towers) -> None:
    sequences, inputs = board()
    late = held_out(sequences, QUICK.history, PLAN.until, PLAN.validate, QUICK.horizon, CHOOSING)
    ours = mean(tower_marks(trained.items, trained.users, late))
    counted = counted_marks(sequences, inputs.counts, PLAN.until, CovisitSettings(), late)
    assert ours > 1.3 * mean(counted["popularity"])
    assert mean(counted["covisit"]) > 1.1 * mean(counted["popularity"])
    assert ours == pytest.approx(trained.metric)
    assert trained.metric == max(trained.curve)


def test_towers_are_judged_like_their_rivals_among_what_the_user_never_had(trained: Towers) -> None:
    sequences, _ = board()
    short = held_out(sequences, 3, PLAN.until, PLAN.validate)
    assert all(len(past) > 3 for late in short for past in late.past)
    with torch.no_grad():
        table = trained.items.eval()().numpy()
        hidden = [encode(trained.users.eval(), trained.items(), each.steps) for each in short]
    marks = tower_marks(trained.items, trained.users, short)
    told = []
    for late, told_by in zip(short, hidden, strict=True):
        each = told_by[torch.from_numpy(late.steps.wanted)].numpy()
        for own, place, relevant in zip(each, late.places, late.relevant, strict=True):
            user = np.searchsorted(sequences.starts, place, side="right") - 1
            had = set(sequences.items[sequences.starts[user] : place].tolist())
            order = [row for row in np.argsort(-(table @ own)).tolist() if row not in had]
            told.append(ndcg(np.array(order), relevant))
    np.testing.assert_allclose(marks, told)


def test_the_same_seed_gives_the_same_towers(trained: Towers) -> None:
    sequences, inputs = board()
    again = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)
    for ours, theirs in zip(again.items.parameters(), trained.items.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_time_limit_ends_training_with_what_was_learnt_by_then() -> None:
    sequences, inputs = board()
    hurried = changed(QUICK, tower_seconds=1e-6)
    towers = fit(fresh_towers(inputs, hurried), sequences, hurried, PLAN, lambda *_: None)
    assert len(towers.curve) == 1 < QUICK.epochs
    assert towers.epochs == 1


class Stopped(Exception):
    """As if the process had been killed."""


def stopped(folder: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> Checkpoint:
    """What a training left that ended right after it kept so many checkpoints."""
    monkeypatch.setattr(two_tower, "KEPT_EVERY", 0.0)
    monkeypatch.setattr(two_tower, "KEPT_SHARE", 1e9)
    sequences, inputs = board()
    writes = 0

    class Killed(Checkpoint):
        def write(self, state: dict[str, Any]) -> None:
            nonlocal writes
            super().write(state)
            writes += 1
            if writes == after:
                raise Stopped

    with pytest.raises(Stopped):
        fit(
            fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None,
            Killed(folder / "kept" / "tower.pt", "a"),
        )  # fmt: skip
    return Checkpoint(folder / "kept" / "tower.pt", "a")


@pytest.mark.parametrize("after", [1, 5, 13, 30])
def test_a_training_that_was_stopped_goes_on_to_the_same_towers(
    trained: Towers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    kept = stopped(tmp_path, monkeypatch, after)
    sequences, inputs = board()
    again = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None, kept)
    assert again.curve == trained.curve
    assert (again.epochs, again.metric) == (trained.epochs, trained.metric)
    for ours, theirs in zip(weights(again), weights(trained), strict=True):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_of_something_else_or_a_torn_one_counts_as_none(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "tower.pt", "a")
    assert kept.read() is None
    kept.write({"step": 3})
    assert kept.read() == {"step": 3}
    assert Checkpoint(kept.file, "b").read() is None
    kept.file.write_bytes(kept.file.read_bytes()[:-40])
    assert kept.read() is None


def test_biases_in_one_pass_equal_those_of_the_textbook() -> None:
    _, inputs = board()
    users = fresh_towers(inputs, QUICK).users
    spans = torch.randint(32, (3, 7, 7), dtype=torch.uint8)
    weight = torch.randn(3, HEADS, 7, 7)
    with torch.no_grad():
        users.distance.normal_()
        users.time.weight.normal_()
    found = []
    for mode in (True, False):
        users.train(mode)
        users.zero_grad()
        bias = users._bias(spans).float()
        ((bias * weight)[..., *torch.tril_indices(7, 7)]).sum().backward()
        parts = [bias.detach(), users.distance.grad, users.time.weight.grad]
        found.append([part.clone() for part in parts if part is not None])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(
            ours, theirs, rtol=1e-2, atol=1e-2 if softmax.precision() != torch.float32 else 1e-4
        )


def test_size_and_shape_of_the_history_decide_what_the_settings_leave_open() -> None:
    sequences, _ = board()
    open_ = TrainingSettings()
    assert sized(open_, sequences, 841).dropout == sizing.DENSE_DROPOUT
    assert sized(open_, sequences, 300).dropout == sizing.SPARSE_DROPOUT
    assert sized(changed(open_, dropout=0.1, epochs=3), sequences, 300).dropout == 0.1
    assert sized(changed(open_, epochs=3), sequences, 300).epochs == 3
    assert [sizing.passes(n) for n in (100, 65_000, 700_000, 10**9)] == [30, 8, 2, 1]
    assert sizing.passes(131_000, sizing.SPARSE_PASSES) == 28


def test_as_many_moments_are_judged_as_there_are_people_to_tell_by() -> None:
    asked = [sizing.moments(TrainingSettings(), people) for people in (50, 6_040, 9_000, 22_363)]
    assert asked == [1_300, 1_300, 1_800, 4_000]
    assert sizing.moments(TrainingSettings(ranker_queries=7), 9_000) == 7


def test_items_without_events_live_on_their_content_alone() -> None:
    _, inputs = board()
    unknown = inputs._replace(counts=np.zeros(ITEMS, np.int64))
    tower = fresh_towers(unknown, QUICK).items.eval()
    table = tower.table(np.ones(ITEMS, bool))
    plain = inputs.content @ table.content + table.categories[np.arange(ITEMS) % 2]
    np.testing.assert_allclose(table.vectors, plain, atol=1e-5)


@pytest.mark.parametrize("masked", [True, False])
def test_the_loss_and_its_gradients_are_those_of_the_textbook(
    monkeypatch: pytest.MonkeyPatch, *, masked: bool
) -> None:
    monkeypatch.setattr(softmax, "precision", lambda: torch.float32)
    monkeypatch.setattr(softmax, "ROUND", 3)
    monkeypatch.setattr(softmax, "LOGITS", 1)
    sequences, inputs = board()
    steps = windows_of(sequences, 5, 7)
    n = int(steps.wanted.sum())
    torch.manual_seed(0)
    hidden = torch.randn(n, 6, requires_grad=True)
    table = torch.randn(ITEMS, 6, requires_grad=True)
    targets = torch.from_numpy(steps.targets[steps.wanted])
    loss = Softmax(inputs.counts, np.random.default_rng(0), masked=masked)
    ours = loss.loss(hidden, table, steps)
    ours.backward()
    got = hidden.grad, table.grad
    hidden.grad = table.grad = None
    logits = hidden @ table.T
    mask = torch.zeros(n, ITEMS, dtype=torch.bool)
    if masked:
        mask[softmax.past_of(steps)[0], softmax.past_of(steps)[1]] = True
    theirs = functional.cross_entropy(logits.masked_fill(mask, NEVER), targets)
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert torch.allclose(got[0], hidden.grad, atol=1e-6)
    assert torch.allclose(got[1], table.grad, atol=1e-6)


@pytest.mark.parametrize(("history", "width"), [(20, 18), (17, 17)])
def test_wider_batches_say_and_teach_the_same(
    monkeypatch: pytest.MonkeyPatch, history: int, width: int
) -> None:
    for module in (softmax, towers_module):
        monkeypatch.setattr(module, "precision", lambda: torch.float32)
    sequences, inputs = board()
    aims, windows = sequences.next_ones(0, 900), [Window(0, 17), Window(20, 25)]
    found = []
    for most in (0, history):
        torch.manual_seed(0)
        towers = fresh_towers(inputs, changed(QUICK, dropout=0.0, history=history))
        towers.items.eval()
        steps = batch_of(sequences, windows, aims, most)
        hidden = encode(towers.users, towers.items(), steps)[torch.from_numpy(steps.wanted)]
        loss = Softmax(inputs.counts, np.random.default_rng(0)).loss(hidden, towers.items(), steps)
        loss.backward()
        found.append((hidden.detach(), towers.items.delta.grad, steps.items.shape[1]))
    assert [each[2] for each in found] == [17, width]
    assert torch.allclose(found[0][0], found[1][0], atol=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-6)


def test_an_item_of_which_nothing_is_known_learns_at_full_rate() -> None:
    _, inputs = board()
    nothing = inputs._replace(
        content=np.zeros_like(inputs.content), categories=np.full_like(inputs.categories, -1)
    )
    assert (fresh_towers(nothing, QUICK).items.gate == 1).all()
    assert (fresh_towers(inputs, QUICK).items.gate < 1).all()


def test_what_was_seen_before_a_step_is_no_negative_of_it() -> None:
    sequences, _ = board()
    steps = windows_of(sequences, 6, 5)
    step, item = softmax.past_of(steps)
    targets = steps.targets[steps.wanted]
    assert not (item == targets[step]).any()
    width = steps.items.shape[1]
    places = np.argwhere(steps.wanted)
    assert len(step) == sum(int(at) + 1 for _, at in places)
    assert item.max() < ITEMS
    assert width >= 2


def test_the_loss_among_drawn_items_is_that_of_the_textbook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(softmax, "precision", lambda: torch.float32)
    monkeypatch.setattr(softmax, "FULL_SOFTMAX", 10)
    monkeypatch.setattr(softmax, "NEGATIVES", 30)
    monkeypatch.setattr(softmax, "ROUND", 7)
    sequences, inputs = board()
    steps = windows_of(sequences, 5, 7)
    targets = torch.from_numpy(steps.targets[steps.wanted])
    torch.manual_seed(0)
    hidden = torch.randn(len(targets), 6, requires_grad=True)
    table = torch.randn(ITEMS, 6, requires_grad=True)
    ours = Softmax(inputs.counts, np.random.default_rng(3)).loss(hidden, table, steps)
    ours.backward()
    got = hidden.grad, table.grad
    hidden.grad = table.grad = None
    share = np.sqrt(inputs.counts + 1.0) / np.sqrt(inputs.counts + 1.0).sum()
    rows = np.searchsorted(np.cumsum(share), np.random.default_rng(3).random(30))
    lowered = torch.from_numpy(np.log(30 * share[rows])).float()
    logits = (hidden @ table[rows].T - lowered).masked_fill(
        targets[:, None] == torch.from_numpy(rows)[None], NEVER
    )
    own = (hidden * table[targets]).sum(1, keepdim=True)
    theirs = functional.cross_entropy(torch.cat([own, logits], 1), torch.zeros_like(targets))
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert torch.allclose(got[0], hidden.grad, atol=1e-6)
    assert torch.allclose(got[1], table.grad, atol=1e-6)


def test_hard_negatives_are_near_but_not_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FULL_SOFTMAX", 10), ("HARD_ABOVE", 10), ("NEGATIVES", 5)):
        monkeypatch.setattr(softmax, name, value)
    for name, value in (("FIRST_RANK", 6), ("LAST_RANK", 12), ("HARD", 8)):
        monkeypatch.setattr(softmax, name, value)
    loss = Softmax(np.ones(ITEMS, np.int64), np.random.default_rng(0))
    table = torch.eye(ITEMS)
    hidden = torch.linspace(2.0, 1.0, ITEMS)[None].repeat(9, 1)
    assert loss.hard(hidden).tolist() == []
    assert loss.seek_in(table)
    assert set(loss.hard(hidden).tolist()) <= set(range(6, 12))
    assert len(loss.hard(hidden)) >= 2


def test_towers_that_were_judged_or_exported_before_are_trained_with_dropout_again() -> None:
    sequences, inputs = board()
    found = []
    for judged in (False, True):
        towers = fresh_towers(inputs, QUICK)
        towers.items.train(not judged)
        towers.users.train(not judged)
        plan = PLAN._replace(epochs=1)
        found.append(fit(towers, sequences, QUICK, plan, lambda *_: None))
    for ours, theirs in zip(weights(found[0]), weights(found[1]), strict=True):
        assert torch.equal(ours, theirs)


def test_small_catalogues_need_no_hard_negatives() -> None:
    loss = Softmax(np.ones(ITEMS, np.int64), np.random.default_rng(0))
    assert not loss.seek_in(torch.eye(ITEMS))


def test_towers_that_seek_hard_negatives_go_on_to_the_same_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (("FULL_SOFTMAX", 10), ("HARD_ABOVE", 10), ("NEGATIVES", 20)):
        monkeypatch.setattr(softmax, name, value)
    for name, value in (("FIRST_RANK", 6), ("LAST_RANK", 30), ("HARD", 8)):
        monkeypatch.setattr(softmax, name, value)
    sequences, inputs = board()
    whole = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)
    kept = stopped(tmp_path, monkeypatch, 40)
    again = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None, kept)
    assert again.curve == whole.curve


def test_large_catalogues_learn_from_drawn_negatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "FULL_SOFTMAX", 10)
    monkeypatch.setattr(softmax, "NEGATIVES", 30)
    sequences, inputs = board()
    towers = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)
    late = held_out(sequences, QUICK.history, PLAN.until, PLAN.validate, QUICK.horizon)
    counted = counted_marks(sequences, inputs.counts, PLAN.until, CovisitSettings(), late)
    assert towers.metric > 1.2 * mean(counted["popularity"])
