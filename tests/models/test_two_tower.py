"""The served towers: equal to the trained ones, and good to items and visitors nobody knew."""

from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.events.kinds import Signal
from palate.features.record import UserState
from palate.index.opening import Building
from palate.models.two_tower import (
    IN_ORDER,
    TIME_BUCKETS,
    TwoTower,
    outcome_codes,
    span_buckets,
    time_buckets,
)
from palate.settings import TrainingSettings
from palate.tables import write_table
from palate.training.dataset import item_inputs
from palate.training.export import export_tower
from palate.training.two_tower import Towers, fresh_towers

KNOWN = 30


def item(n: int, **changes: Any) -> Item:
    given = {"title": f"Film {n}", "categories": (f"genre {n % 3}",)} | changes
    return Item(item_id=f"i{n}", **given)


def visitor(
    rows: Sequence[int] | Rows, now: float = 1_000.0, signals: int = Signal.ENGAGED
) -> SimpleNamespace:
    history = np.array(rows, np.int32)
    return SimpleNamespace(
        history=history,
        times=now - 10.0 * np.arange(len(history), 0, -1),
        signals=np.full(len(history), int(signals), np.uint8),
    )


@pytest.fixture
def columns() -> ItemColumns:
    made = ItemColumns.in_memory()
    made.write([ItemChange(n + 1, n, f"i{n}", item(n)) for n in range(KNOWN)])
    return made


@pytest.fixture
def towers(columns: ItemColumns, request: pytest.FixtureRequest) -> Towers:
    counts = np.arange(KNOWN) % 7
    settings = TrainingSettings(dim=16, history=8, blocks=getattr(request, "param", 1))
    towers = fresh_towers(item_inputs(columns, KNOWN, counts), settings)
    with torch.no_grad():  # untrained biases are zero: make every part speak
        for part in towers.users.parameters():
            part.add_(torch.randn_like(part) * 0.3)
        towers.items.delta.mul_(20)
    return towers


@pytest.fixture
def model(towers: Towers, columns: ItemColumns, tmp_path: Path) -> TwoTower:
    export_tower(tmp_path, towers, tuple(columns.category_names()), Building(1))
    return TwoTower.load(tmp_path)


@pytest.mark.parametrize("length", [1, 2, 8, 20])
@pytest.mark.parametrize("towers", [1, 2], indirect=True)
def test_the_served_user_vector_equals_the_trained_one(
    model: TwoTower, towers: Towers, length: int
) -> None:
    dice = np.random.Generator(np.random.PCG64(length))
    user = visitor(dice.integers(0, KNOWN, length))
    user.signals = dice.choice([4, 12, 20], length).astype(np.uint8)
    rows, times, signals = (x[-8:] for x in (user.history, user.times, user.signals))
    table = towers.items.eval()()
    with torch.no_grad():
        expected = towers.users.eval()(
            table[torch.from_numpy(rows.astype(np.int64))][None],
            torch.from_numpy(outcome_codes(signals))[None],
            torch.from_numpy(span_buckets(times, 2_000.0))[None],
        )[0, -1].numpy()
    np.testing.assert_allclose(model.user_vector(user, 2_000.0), expected, atol=1e-4)


def test_candidates_are_the_nearest_servable_items_that_are_not_excluded(
    model: TwoTower, towers: Towers, columns: ItemColumns
) -> None:
    columns.servable[11] = 0
    user, excluded = visitor([1, 2, 3]), np.array([4, 5], np.int32)
    rows, scores = model.candidates(user, 1_000.0, columns, excluded, 10)
    truth = towers.items.eval()().detach().numpy() @ model.user_vector(user, 1_000.0)
    allowed = [r for r in np.argsort(-truth) if r not in {4, 5, 11}]
    assert rows.tolist() == allowed[:10]
    np.testing.assert_allclose(scores, truth[rows], atol=1e-4)


def test_somebody_unknown_gets_nothing(model: TwoTower, columns: ItemColumns) -> None:
    nobody = UserState.nobody()
    assert model.user_vector(nobody, 0.0) is None
    assert len(model.candidates(nobody, 0.0, columns, np.empty(0, np.int32), 10)[0]) == 0


def test_an_item_added_after_the_training_is_found_through_its_content(
    model: TwoTower, towers: Towers, columns: ItemColumns
) -> None:
    twin = next(n for n in range(KNOWN) if towers.items.counts[n] == 0)
    change = ItemChange(KNOWN + 1, KNOWN, "new", item(twin))
    columns.write([change])
    everything = np.empty(0, np.int32)
    rows, scores = model.candidates(visitor([1, 2]), 1_000.0, columns, everything, KNOWN + 1)
    found = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    assert found[KNOWN] == pytest.approx(found[twin], abs=1e-4)


def test_a_release_with_its_network_alone_says_the_same_of_a_visitor(
    model: TwoTower, columns: ItemColumns, tmp_path: Path
) -> None:
    user: Any = visitor([3, 9, 4, 1, 22])
    user.times = np.array([10.0, 500.0, 800.0, 990.0, 999.0])
    ours = model.user_vector(user, 1_000.0, columns)
    (tmp_path / "user.npz").unlink()  # as older releases are
    theirs = TwoTower.load(tmp_path).user_vector(user, 1_000.0, columns)
    assert ours is not None
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_item_tower_places_new_items_as_its_arrays_do(
    model: TwoTower, columns: ItemColumns, tmp_path: Path
) -> None:
    bare = item(1, categories=(), title="Nothing else")
    new = [item(4, title="New"), item(5, categories=("genre 1", "unheard of")), bare]
    columns.write(
        [ItemChange(KNOWN + 1 + n, KNOWN + n, f"n{n}", each) for n, each in enumerate(new)]
    )
    rows = np.arange(KNOWN, KNOWN + 3, dtype=np.int32)
    ours = model.vectors(rows, columns)
    (tmp_path / "item.onnx").unlink()  # as older releases are
    theirs = TwoTower.load(tmp_path).vectors(rows, columns)
    assert np.abs(ours).max() > 0
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_an_item_added_after_the_training_counts_in_the_history(
    model: TwoTower, columns: ItemColumns
) -> None:
    columns.write([ItemChange(KNOWN + 1, KNOWN, "new", item(4, title="Something else"))])
    alone = visitor([KNOWN])
    assert model.user_vector(alone, 1_000.0) is None
    assert model.user_vector(alone, 1_000.0, columns) is not None


def test_a_removed_fresh_item_is_no_longer_proposed(model: TwoTower, columns: ItemColumns) -> None:
    columns.write([ItemChange(KNOWN + 1, KNOWN, "new", item(4))])
    nothing = np.empty(0, np.int32)
    assert KNOWN in model.candidates(visitor([1]), 1_000.0, columns, nothing, 50)[0]
    columns.write([ItemChange(KNOWN + 2, KNOWN, "new", None)])
    assert KNOWN not in model.candidates(visitor([1]), 1_000.0, columns, nothing, 50)[0]


def test_categories_keep_their_meaning_when_codes_change(model: TwoTower, towers: Towers) -> None:
    renumbered = ItemColumns.in_memory()
    order = list(range(KNOWN))[::-1]
    changes = [ItemChange(i + 1, n, f"i{n}", item(n)) for i, n in enumerate(order)]
    twin = next(n for n in range(KNOWN) if towers.items.counts[n] == 0)
    renumbered.write([*changes, ItemChange(KNOWN + 1, KNOWN, "new", item(twin))])
    nothing = np.empty(0, np.int32)
    rows, scores = model.candidates(visitor([1, 2]), 1_000.0, renumbered, nothing, KNOWN + 1)
    found = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    assert found[KNOWN] == pytest.approx(found[twin], abs=1e-4)


def test_similar_items_go_by_cosine_and_leave_out_the_item_itself(
    model: TwoTower, towers: Towers, columns: ItemColumns
) -> None:
    rows, scores = model.similar(5, columns, 6)
    table = towers.items.eval()().detach().numpy()
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosines = unit @ unit[5]
    assert rows.tolist() == [r for r in np.argsort(-cosines) if r != 5][:6]
    np.testing.assert_allclose(scores, cosines[rows], atol=1e-4)


def test_time_is_told_in_powers_of_two_and_late_events_count_as_now() -> None:
    spans = np.array([-5.0, 0.0, 1.0, 3.0, 86_400.0, 1e30])
    assert time_buckets(spans).tolist() == [0, 0, 1, 2, 16, TIME_BUCKETS - 1]
    assert span_buckets(np.array([0.0, 3.0]), 10.0).tolist() == [[2, 0], [3, 3]]


def test_a_dislike_outweighs_engagement() -> None:
    signals = np.array([4, 12, 20, 16], np.uint8)
    assert outcome_codes(signals).tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize("kind", ["ivf", "faiss"])
def test_many_items_take_a_byte_a_number_and_mean_the_same(
    towers: Towers,
    columns: ItemColumns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    for module in ("palate.models.two_tower", "palate.index.opening"):
        monkeypatch.setattr(f"{module}.EXACT_LIMIT", KNOWN - 1)
    export_tower(tmp_path, towers, tuple(columns.category_names()), Building(1, kind))
    packed, rows = TwoTower.load(tmp_path), np.arange(KNOWN, dtype=np.int32)
    truth = towers.items.eval()().detach().numpy()
    assert packed.table.vectors.dtype == np.int8
    assert len(np.load(tmp_path / "vectors.npy")) == (0 if kind == "ivf" else len(truth))
    half = np.abs(truth).max(axis=1, keepdims=True) / 254
    assert (np.abs(packed.vectors(rows, columns) - truth) <= half * 1.001).all()
    assert (packed.table.unpacked() == packed.vectors(rows, columns)).all()
    found, _ = packed.candidates(visitor([1]), 1_000.0, columns, np.array([1], np.int32), 5)
    vector = packed.user_vector(visitor([1]), 1_000.0)
    assert found[0] == next(row for row in np.argsort(-truth @ vector) if row != 1)


def test_a_release_that_brings_no_scales_is_read_as_before(model: TwoTower, tmp_path: Path) -> None:
    (tmp_path / "scales.npy").unlink()
    again = TwoTower.load(tmp_path)
    assert (
        again.user_vector(visitor([1, 2]), 9.0) == model.user_vector(visitor([1, 2]), 9.0)
    ).all()


def test_a_release_that_brings_vectors_beside_its_index_is_read_as_one_that_does_not(
    towers: Towers, columns: ItemColumns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("palate.models.two_tower", "palate.index.opening"):
        monkeypatch.setattr(f"{module}.EXACT_LIMIT", KNOWN - 1)
    export_tower(tmp_path / "today", towers, tuple(columns.category_names()), Building(1))
    copytree(tmp_path / "today", tmp_path / "before")
    today, rows = TwoTower.load(tmp_path / "today"), np.arange(KNOWN, dtype=np.int32)
    brought = today.table._replace(vectors=today.table.unpacked(), places=IN_ORDER)
    write_table(tmp_path / "before", brought.packed())
    again = TwoTower.load(tmp_path / "before")
    np.testing.assert_array_equal(again.vectors(rows, columns), today.vectors(rows, columns))
