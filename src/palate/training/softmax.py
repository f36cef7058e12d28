"""The loss of the two-tower: the item that came next against the catalogue, never in-batch only."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from palate.training.sequences import Steps

FULL_SOFTMAX = 50_000
"""Items up to which every one of them is a negative of every step."""
NEGATIVES = 2_048
"""Shared by a batch in larger catalogues, drawn from popularity^0.5, corrected by logQ."""
NEVER = -1e9


class Softmax:
    """Cross-entropy over all items, or over shared negatives where there are too many."""

    def __init__(self, counts: NDArray[np.int64], dice: np.random.Generator) -> None:
        share = np.sqrt(counts + 1.0)
        self._share = share / share.sum()
        self._cumulated = np.cumsum(self._share)
        self._dice = dice

    def loss(self, hidden: Tensor, table: Tensor, steps: Steps) -> Tensor:
        """Mean loss of the wanted steps, whose user vectors `hidden` (n, dim) are."""
        targets = torch.from_numpy(steps.targets[steps.wanted])
        if len(self._share) <= FULL_SOFTMAX:
            loss: Tensor = _Full.apply(hidden, table, targets, past_of(steps))  # type: ignore[no-untyped-call]
            return loss
        return self._sampled(hidden, table, targets)

    def _sampled(self, hidden: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        drawn = np.searchsorted(self._cumulated, self._dice.random(NEGATIVES))
        rows = np.minimum(drawn, len(self._share) - 1)
        chance = torch.from_numpy(np.log(NEGATIVES * self._share[rows]).astype(np.float32))
        logits = hidden @ table[torch.from_numpy(rows)].T - chance
        same = targets[:, None] == torch.from_numpy(rows)[None]
        own = (hidden * table[targets]).sum(1, keepdim=True)
        every = torch.cat([own, logits.masked_fill(same, NEVER)], 1)
        return functional.cross_entropy(every, torch.zeros_like(targets))


class _Full(torch.autograd.Function):
    """Mean cross-entropy over all unseen items, its gradients made on the way forward.

    The logits are overwritten by their softmax and that by their gradient: one table in memory
    instead of four, and half the time.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        targets: Tensor,
        past: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> Tensor:
        n, each = len(targets), torch.arange(len(targets))
        logits = hidden @ table.T
        logits[torch.from_numpy(past[0]), torch.from_numpy(past[1])] = NEVER
        share = logits.softmax(1)
        loss = -share[each, targets].clamp(min=1e-30).log().mean()
        share[each, targets] -= 1.0
        share /= n
        ctx.save_for_backward(share @ table, share.T @ hidden)
        return loss

    @staticmethod
    def backward(ctx: Any, *outside: Tensor) -> tuple[Tensor, Tensor, None, None]:
        to_hidden, to_table = ctx.saved_tensors
        return to_hidden * outside[0], to_table * outside[0], None, None


def unseen_logits(hidden: Tensor, table: Tensor, steps: Steps) -> Tensor:
    """Dot products with every item (n, rows); what the window has seen by then is out."""
    step, item = past_of(steps)
    where = (torch.from_numpy(step), torch.from_numpy(item))
    return (hidden @ table.T).index_put(where, torch.tensor(NEVER))


def past_of(steps: Steps) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(which wanted step, item) for every item in the window up to that step."""
    length = steps.items.shape[1]
    number = np.cumsum(steps.wanted.ravel()).reshape(steps.wanted.shape) - 1
    behind = np.tri(length, dtype=bool)[None] & steps.wanted[..., None]
    window, step, earlier = np.nonzero(behind)
    return number[window, step], steps.items[window, earlier]
