"""New items find their place from a few events: the optimum of the loss, and the right kind."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.conftest import QUICK
from tests.training.test_two_tower import PLAN, board

from palate.models.fold_in import Background, solve
from palate.training.fold_in import fold_in
from palate.training.sequences import batch_of, cut_windows
from palate.training.towers import ItemInputs, ItemTower, encode
from palate.training.two_tower import fit, fresh_towers

NEW = np.array([4, 9, 22, 31])


@given(seed=st.integers(0, 50), prior=st.floats(0.5, 50.0), many=st.integers(1, 40))
def test_it_is_the_optimum_of_the_loss(seed: int, prior: float, many: int) -> None:
    dice = np.random.default_rng(seed)
    users, content = dice.normal(size=(200, 6)), dice.normal(size=6) * 0.3
    every = Background(users, np.full(200, 4.0), 3.0, prior)
    taken = users[dice.integers(200, size=many)].astype(np.float32)

    def loss(d: np.ndarray) -> float:
        rates = every.weight * np.exp(np.minimum(users @ (content + d) - every.normals, 0.0))
        return float(rates.sum() - (taken @ (content + d)).sum() + prior * (d @ d) / 2)

    d = solve(taken.sum(axis=0).astype(np.float64), every, content.astype(np.float32))
    assert loss(d) <= loss(np.zeros(6)) + 1e-9


def test_the_more_is_known_of_known_items_the_less_a_new_one_strays() -> None:
    dice = np.random.default_rng(0)
    every = Background(dice.normal(size=(200, 6)), np.full(200, 4.0), 3.0)
    wanted, content = dice.normal(size=(5, 6)).sum(axis=0), np.zeros(6, np.float32)
    tried = (every._replace(prior=p) for p in (1.0, 10.0, 1e6))
    sizes = [float(np.linalg.norm(solve(wanted, each, content))) for each in tried]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 1e-3


def test_new_items_come_to_those_who_watch_their_kind() -> None:
    sequences, known = board()
    content, categories = known.content.copy(), known.categories.copy()
    content[NEW], categories[NEW] = 0.0, -1
    counts = np.where(np.isin(np.arange(len(content)), NEW), 0, known.counts)
    inputs = ItemInputs(content, categories, counts, known.names)
    old = np.isin(sequences.items, NEW)
    aside = sequences.positions.copy()
    sequences.positions[old] = 10_000
    towers = fit(fresh_towers(inputs, QUICK), sequences, QUICK, PLAN, lambda *_: None)
    sequences.positions[:] = aside
    items = ItemTower(inputs._replace(counts=known.counts), QUICK.dim)
    items.load_state_dict(towers.items.state_dict())
    fold_in((items, towers.users), sequences, NEW, 700)
    windows = cut_windows(sequences, QUICK.history, 841, np.random.default_rng(0))
    steps = batch_of(sequences, windows[:60], sequences.next_ones(700, 841))
    with torch.no_grad():
        table = items.eval()()
        users = encode(towers.users.eval(), table, steps)[torch.from_numpy(steps.wanted)]
        scores = (users @ table[torch.from_numpy(NEW)].T).numpy()
    kind = steps.targets[steps.wanted] % 2
    for at, row in enumerate(NEW.tolist()):
        own = kind == row % 2
        assert scores[own, at].mean() > scores[~own, at].mean()
