"""How well towers foresee the very next event, on events they have not learnt from."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palate.training.sequences import Steps
from palate.training.softmax import unseen_logits
from palate.training.towers import ItemTower, UserTower, encode

DEPTH = 10


def next_item_ranks(
    items: ItemTower, users: UserTower, batches: Iterable[Steps]
) -> NDArray[np.int64]:
    """Rank (from 0, ties at the middle, among unseen items) of every wanted target."""
    items.eval()
    users.eval()
    ranks = [np.empty(0, np.int64)]
    with torch.inference_mode():
        table = items()
        for steps in batches:
            hidden = encode(users, table, steps)[torch.from_numpy(steps.wanted)]
            ranks.append(_ranks(hidden, table, steps))
    items.train()
    users.train()
    return np.concatenate(ranks)


def popularity_ranks(counts: NDArray[np.int64], batches: Iterable[Steps]) -> NDArray[np.int64]:
    """The same ranks where everybody is offered the most popular unseen items."""
    table = torch.from_numpy(counts.astype(np.float32))[:, None]
    ranks = [_ranks(torch.ones(int(s.wanted.sum()), 1), table, s) for s in batches]
    return np.concatenate([np.empty(0, np.int64), *ranks])


def _ranks(hidden: Tensor, table: Tensor, steps: Steps) -> NDArray[np.int64]:
    logits = unseen_logits(hidden, table, steps)
    own = logits.gather(1, torch.from_numpy(steps.targets[steps.wanted])[:, None])
    above, level = (logits > own).sum(1), (logits == own).sum(1) - 1
    ranks: NDArray[np.int64] = (above + level // 2).numpy()
    return ranks


def ndcg(ranks: NDArray[np.int64]) -> float:
    """Mean NDCG@10 with one relevant item each; 0 where there is none."""
    if not len(ranks):
        return 0.0
    return float(np.where(ranks < DEPTH, 1.0 / np.log2(ranks + 2.0), 0.0).mean())
