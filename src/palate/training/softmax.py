"""The loss of the two-tower: the item that came next against the catalogue, never in-batch only."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from palate.index.opening import build_index
from palate.index.protocol import Index
from palate.jit import kernel
from palate.training.sequences import Steps

FULL_SOFTMAX = 8_192
"""Items up to which every one of them is a negative of every step. Beyond, drawn ones learn as well
(on 12,000 items) in a quarter of the time."""
NEGATIVES = 2_048
"""Shared by a batch in larger catalogues, drawn from popularity^0.5, corrected by logQ."""
HARD_ABOVE = 50_000
"""Items from which on negatives are also sought where the towers are wrong."""
HARD, ASKING = 128, 4
"""So many of them, found by so many steps of a batch, …"""
FIRST_RANK, LAST_RANK = 100, 500
"""… between these ranks of the index of the pass before: nearer ones are often what is wanted."""
NEVER = -1e9
LOGITS = 1 << 20
"""Of the full softmax held at once: so many stay in the cache of a core."""
ROUND = 64
"""Steps and items of every product come in multiples of this: a routine is compiled for each shape
that was not met before, which takes five times as long as the product."""


def precision() -> torch.dtype:
    """Take bfloat16 where the processor multiplies it, four times as fast; float32 elsewhere."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32  # noqa: SLF001


class Softmax:
    """Cross-entropy over all items, or over shared negatives where there are too many."""

    def __init__(
        self, counts: NDArray[np.int64], dice: np.random.Generator, *, masked: bool = True
    ) -> None:
        share = np.sqrt(counts + 1.0)
        self._share = share / share.sum()
        self._cumulated = np.cumsum(self._share)
        self._dice, self._masked = dice, masked
        self._known = np.flatnonzero(counts > 0).astype(np.int32)
        self._index: Index | None = None

    def seek_in(self, table: Tensor) -> bool:
        """From now on find hard negatives among these vectors (rows, dim); False in small ones."""
        wanted = len(self._share) > max(HARD_ABOVE, FULL_SOFTMAX) and len(self._known) > LAST_RANK
        if wanted:
            self._index = build_index(self._known, table.numpy()[self._known])
        return wanted

    def hard(self, hidden: Tensor) -> NDArray[np.int64]:
        """Rows that some of the steps find near, but not nearest; none without an index."""
        if self._index is None:
            return np.empty(0, np.int64)
        found = []
        for at in self._dice.integers(len(hidden), size=ASKING):
            near, _ = self._index.search(hidden[at].detach().numpy(), LAST_RANK)
            far = near[FIRST_RANK:]
            found.append(far[self._dice.permutation(len(far))[: HARD // ASKING]])
        return np.unique(np.concatenate(found)).astype(np.int64)

    def loss(self, hidden: Tensor, table: Tensor, steps: Steps) -> Tensor:
        """Mean loss of the wanted steps, whose user vectors `hidden` (n, dim) are.

        Where it is `masked`, what a window has shown by a step is no negative of it: that helps
        where histories are long, and costs time.
        """
        targets = torch.from_numpy(steps.targets[steps.wanted])
        if len(self._share) <= FULL_SOFTMAX:
            past = past_of(steps) if self._masked else None
            loss: Tensor = _Full.apply(hidden, table, targets, past, precision())  # type: ignore[no-untyped-call]
            return loss
        return self._sampled(hidden, table, targets)

    def _sampled(self, hidden: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        drawn = np.searchsorted(self._cumulated, self._dice.random(NEGATIVES))
        rows = np.minimum(drawn, len(self._share) - 1)
        hard = self.hard(hidden)
        chance = np.log(NEGATIVES * self._share[rows]).astype(np.float32)
        # A hard one stands for itself alone: it was not drawn, so nothing is to be undone.
        chance = np.concatenate([chance, np.zeros(len(hard), np.float32)])
        rows = np.concatenate([rows, hard])
        near, far = table[targets], table[torch.from_numpy(rows)]
        among = torch.from_numpy(chance), _alike(targets.numpy(), rows)
        loss: Tensor = _Drawn.apply(hidden, near, far, among, precision())  # type: ignore[no-untyped-call]
        return loss


Past = tuple[NDArray[np.int64], NDArray[np.int64]]
"""(which wanted step, item or column), by step."""


class _Full(torch.autograd.Function):
    """Mean cross-entropy over all items, its gradients made on the way forward.

    A chunk of logits becomes its softmax and that is overwritten by its gradient, so that the whole
    table is never in memory; all chunks share two arrays, for new ones cost page faults. In
    bfloat16 where the processor can.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        targets: Tensor,
        past: Past | None,
        dtype: torch.dtype,
    ) -> Tensor:
        n, chunk = len(targets), max(ROUND, LOGITS // len(table) // ROUND * ROUND)
        users = _padded(hidden.detach().to(dtype), _rounded(n))
        items = table.detach().to(dtype)
        to_users, to_items, loss = torch.empty_like(users), torch.zeros(table.shape), 0.0
        room = torch.empty(2, min(chunk, len(users)), len(table), dtype=dtype)
        by_item = items.T.contiguous()
        for at in range(0, n, chunk):
            part, wanted = users[at : at + chunk], targets[at : at + chunk]
            logits = torch.mm(part, by_item, out=room[0, : len(part)])
            if past is not None:
                _hide(logits, past, at)
            share = torch.softmax(logits, 1, out=room[1, : len(part)])
            each = torch.arange(len(wanted))
            loss -= float(share[each, wanted].float().clamp(min=1e-30).log().sum())
            share[each, wanted] -= 1.0
            torch.mm(share, items, out=to_users[at : at + chunk])
            to_items += share.T @ part
        ctx.save_for_backward(to_users[:n].to(hidden.dtype) / n, to_items / n)
        return torch.tensor(loss / n)

    @staticmethod
    def backward(ctx: Any, *outside: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        to_hidden, to_table = ctx.saved_tensors
        return to_hidden * outside[0], to_table * outside[0], None, None, None


class _Drawn(torch.autograd.Function):
    """Mean cross-entropy of each step's own item among drawn ones, gradients made on the way.

    Hidden (n, dim), the own items' vectors `near` (n, dim), the drawn ones' `far` (k, dim), and
    `among` them: what each logit is lowered by (k,), and which are a step's own item (steps, which
    of the k). A step's own item has the column behind theirs.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        near: Tensor,
        far: Tensor,
        among: tuple[Tensor, Past],
        dtype: torch.dtype,
    ) -> Tensor:
        (n, k), (lower, same) = (len(hidden), len(far)), among
        users = _padded(hidden.detach().to(dtype), _rounded(n))
        items = _padded(far.detach().to(dtype), _rounded(k + 1))
        logits = users @ items.T
        logits[:, :k] -= lower.to(dtype)
        logits[:n, k] = (hidden.detach() * near.detach()).sum(1).to(dtype)
        logits[:, k + 1 :] = NEVER
        _never(logits, *same)
        share = logits.softmax(1)
        own = share[:n, k : k + 1].float()
        loss = -own.clamp(min=1e-30).log().mean()
        own = (own - 1.0) / n
        to_hidden = (share @ items)[:n].float() / n + own * near.detach()
        to_far = (share.T @ users)[:k].float() / n
        ctx.save_for_backward(to_hidden, own * hidden.detach(), to_far)
        return loss

    @staticmethod
    def backward(ctx: Any, *outside: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        to_hidden, to_near, to_far = ctx.saved_tensors
        return to_hidden * outside[0], to_near * outside[0], to_far * outside[0], None, None


def _hide(logits: Tensor, past: Past, first: int) -> None:
    """Make what was seen impossible, in the chunk of steps from `first` on."""
    step, item = past
    span = slice(*np.searchsorted(step, (first, first + len(logits))))
    _never(logits, step[span] - first, item[span])


def _never(logits: Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    """Make these of the logits impossible."""
    whole = torch.int16 if logits.dtype == torch.bfloat16 else torch.int32  # numpy has no bfloat16
    never = torch.full((1,), NEVER, dtype=logits.dtype).view(whole).numpy()
    _overwrite(logits.view(whole).numpy(), rows, columns, never)


def _alike(targets: NDArray[np.int64], rows: NDArray[np.int64]) -> Past:
    """Where a step's own item was drawn: (steps, which of the drawn)."""
    order = np.argsort(rows, kind="stable")
    first, end = (np.searchsorted(rows[order], targets, side) for side in ("left", "right"))
    many = end - first
    steps = np.repeat(np.arange(len(targets)), many)
    within = np.arange(len(steps)) - np.repeat(np.cumsum(many) - many, many)
    return steps, order[first[steps] + within]


def _rounded(many: int) -> int:
    return -(-many // ROUND) * ROUND


def _padded(x: Tensor, rows: int) -> Tensor:
    """(rows, dim): `x` and zeros below it."""
    return functional.pad(x, (0, 0, 0, rows - len(x)))


@kernel
def _overwrite(
    bits: NDArray[np.signedinteger[Any]],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    value: NDArray[np.signedinteger[Any]],
) -> None:
    for at in range(len(rows)):
        bits[rows[at], columns[at]] = value[0]


def past_of(steps: Steps) -> Past:
    """Every item in the window up to each wanted step."""
    return _past(steps.items, steps.wanted)


@kernel
def _past(items: NDArray[np.int64], wanted: NDArray[np.bool_]) -> Past:
    many = 0
    for row in range(len(items)):
        for step in range(items.shape[1]):
            many += (step + 1) * wanted[row, step]
    steps, seen = np.empty(many, np.int64), np.empty(many, np.int64)
    at = number = 0
    for row in range(len(items)):
        for step in range(items.shape[1]):
            if wanted[row, step]:
                steps[at : at + step + 1] = number
                seen[at : at + step + 1] = items[row, : step + 1]
                at += step + 1
                number += 1
    return steps, seen
