"""The towers' part of folding in: who took what, and the steps that stand for all.

The closed form itself is `palate.models.fold_in`, which also serves between two releases.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palate.arrays import Floats
from palate.models.fold_in import Background, solve
from palate.training.sequences import Sequences, Window, batch_of, batches, cut_windows
from palate.training.towers import ItemTower, Users, encode

SAMPLED = 4_000
"""Steps that stand for all."""
FEWEST = 20
"""Known items, and events of each, from whose own parts the prior is told."""
TOKENS, LOGITS = 2_048, 1 << 24
"""Steps encoded, and logits computed, at once."""


def fold_in(
    towers: tuple[ItemTower, Users], sequences: Sequences, fresh: NDArray[np.int64], until: int
) -> None:
    """Give the items `fresh`, of which the towers know the content alone, their own part δ.

    Events below log position `until` count.
    """
    items, users = towers
    gate = items.gate[:, 0].numpy().astype(np.float64)
    known = np.setdiff1d(np.flatnonzero(items.counts >= FEWEST), fresh)
    if not len(fresh) or len(known) < FEWEST:
        return
    items.eval()
    users.eval()
    with torch.no_grad():
        items.delta[torch.from_numpy(fresh)] = 0.0
        table = items()
        every = _background(users, table, sequences, until)._replace(prior=_prior(items, known))
        taken = _taken(users, table, sequences, fresh, until)
        for row, vectors in taken.items():
            wanted = vectors.astype(np.float64).sum(axis=0)
            d = solve(wanted, every, table[row].numpy())
            items.delta[row] = torch.from_numpy((d / max(gate[row], 1e-3)).astype(np.float32))
    items.train()
    users.train()


def background_of(
    towers: tuple[ItemTower, Users], sequences: Sequences, until: int
) -> Background | None:
    """What newcomers are folded in with while a release serves; None where too little is known."""
    items, users = towers
    known = np.flatnonzero(items.counts >= FEWEST)
    if len(known) < FEWEST:
        return None
    items.eval()
    users.eval()
    with torch.no_grad():
        return _background(users, items(), sequences, until)._replace(prior=_prior(items, known))


def _prior(items: ItemTower, known: NDArray[np.int64]) -> float:
    own = (items.delta * items.gate).numpy()[known].astype(np.float64)
    return 1.0 / max(float((own**2).mean()), 1e-6)


def _taken(
    users: Users, table: Tensor, sequences: Sequences, fresh: NDArray[np.int64], until: int
) -> dict[int, Floats]:
    """By item: user vectors at the steps that took it."""
    aims = sequences.next_ones(0, until)
    aims[~np.isin(sequences.items, fresh)] = -1
    windows = cut_windows(sequences, users.history, until, _dice())
    windows = [w for w in windows if (aims[w.start + 1 : w.end + 1] >= 0).any()]
    if not windows:
        return {}
    vectors, targets = _encoded(users, table, sequences, windows, aims)
    return {row: vectors[targets == row] for row in np.unique(targets).tolist()}


def _background(users: Users, table: Tensor, sequences: Sequences, until: int) -> Background:
    dice = _dice()
    aims = sequences.next_ones(0, until)
    windows = cut_windows(sequences, users.history, until, dice)
    order = dice.permutation(len(windows))
    ends = np.cumsum([windows[at].end - windows[at].start for at in order])
    drawn = [windows[at] for at in order[: np.searchsorted(ends, SAMPLED) + 1]]
    vectors, _ = _encoded(users, table, sequences, drawn, aims)
    size = max(1, LOGITS // len(table))
    parts = (torch.from_numpy(vectors[at : at + size]) for at in range(0, len(vectors), size))
    normals = torch.cat([(part @ table.T).logsumexp(1) for part in parts]).numpy()
    weight = int((aims >= 0).sum()) / max(len(vectors), 1)
    return Background(vectors.astype(np.float64), normals.astype(np.float64), weight)


def _encoded(
    users: Users,
    table: Tensor,
    sequences: Sequences,
    windows: list[Window],
    aims: NDArray[np.int64],
) -> tuple[Floats, NDArray[np.int64]]:
    """User vectors at the wanted steps, and what was taken."""
    parts = []
    for cut in batches(windows, TOKENS, _dice()):
        steps = batch_of(sequences, cut, aims)
        hidden = encode(users, table, steps)[torch.from_numpy(steps.wanted)]
        parts.append((hidden.numpy(), steps.targets[steps.wanted]))
    vectors, targets = (np.concatenate(each) for each in zip(*parts, strict=True))
    return vectors, targets


def _dice() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))
