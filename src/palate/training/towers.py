"""The two-tower as torch modules. What they learn is served by `palate.models.two_tower`."""

import copy
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from palate.arrays import Floats
from palate.jit import kernel
from palate.models.two_tower import TIME_BUCKETS, ItemTable
from palate.training.sequences import Steps
from palate.training.softmax import precision

OUTCOMES = 3
DROPPED = 0.25
"""Share of items that have to live on their content alone, drawn anew each step."""
HEADS = 2
POOL = 1 << 23
"""Dropout takes a slice of so many chances that are drawn once: drawing them anew each step takes
as long as the step's arithmetic."""
MOST_SHARES = 4_000_000
AFTER = -1e9


class ItemInputs(NamedTuple):
    """What is known of each row when the tower is trained."""

    content: Floats
    """(rows, 64)."""
    categories: NDArray[np.int64]
    """(rows, 8), -1 for none."""
    counts: NDArray[np.int64]
    """(rows,) engagements."""
    names: tuple[str, ...]
    """Of the categories, by code."""
    half: float = 10.0
    """Engagements after which half of what is special of an item counts, where content is known."""


class ItemTower(nn.Module):
    """v = W·content + mean of its categories' vectors + gate(n)·δ, gate(n) = n / (n + half).

    Where nothing is known of an item but who took it, there is nothing to shrink towards, and its
    gate is open: a third of the gradient is what rare items would learn from.
    """

    def __init__(self, inputs: ItemInputs, dim: int) -> None:
        super().__init__()
        count = len(inputs.names)
        self.content = torch.from_numpy(inputs.content)
        codes = np.where(inputs.categories < 0, count, inputs.categories)
        self.codes = torch.from_numpy(codes)
        self.shares = _shares(inputs.categories, count)
        self.counts, self.half_open = inputs.counts, inputs.half
        self.told = ((self.content != 0).any(1) | (self.codes < count).any(1))[:, None]
        counts = torch.from_numpy(inputs.counts.astype(np.float32))[:, None]
        self.gate = torch.where(self.told, counts / (counts + inputs.half), 1.0)
        self.weight = nn.Parameter(torch.randn(inputs.content.shape[1], dim) * 0.1)
        self.bag = nn.EmbeddingBag(count + 1, dim, mode="mean", padding_idx=count)
        self.delta = nn.Parameter(torch.randn(len(inputs.content), dim) * 0.02)
        nn.init.normal_(self.bag.weight, std=0.05)

    def forward(self) -> Tensor:
        """Every item's vector, (rows, dim); in training some go without their δ.

        Only those of which something else is known: without, nothing would be left of them.
        """
        gate = self.gate
        if self.training:
            gate = gate * ((torch.rand(len(gate), 1) >= DROPPED) | ~self.told)
        vectors: Tensor = gate * self.delta
        if self.told.any():
            vectors = vectors + self.content @ self.weight + self._categories()
        return vectors

    def _categories(self) -> Tensor:
        if self.shares is not None:
            return self.shares @ self.bag.weight[:-1]
        bags: Tensor = self.bag(self.codes)
        return bags

    def table(self, known: NDArray[np.bool_]) -> ItemTable:
        """The tower as arrays."""
        with torch.no_grad():
            vectors = self.eval()().numpy()
        bag = self.bag.weight.detach().numpy()[:-1]
        return ItemTable(vectors, known, self.weight.detach().numpy().copy(), bag.copy())


def _shares(categories: NDArray[np.int64], count: int) -> Tensor | None:
    """(rows, count): each item's categories as a mean, where that is small: five times as fast."""
    if not 0 < len(categories) * count <= MOST_SHARES:
        return None
    held = np.zeros((len(categories), count + 1), np.float32)
    np.add.at(held, (np.arange(len(categories))[:, None], categories), 1.0)
    held = held[:, :count]
    return torch.from_numpy(held / np.maximum(held.sum(1, keepdims=True), 1.0))


class Dropout(nn.Module):
    """Dropout whose chances are a slice of a pool."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not self.training or self.share <= 0:
            return x
        many, pool = x.numel(), _pool(self.share, x.dtype)
        if many >= len(pool):
            return functional.dropout(x, self.share)
        at = int(torch.randint(len(pool) - many, (1,)))
        return x * pool[at : at + many].view(x.shape)


@lru_cache(4)
def _pool(share: float, dtype: torch.dtype) -> Tensor:
    """Always the same: what differs is the slice that a step takes."""
    dice = torch.Generator().manual_seed(1)
    kept = torch.rand(POOL, generator=dice) >= share
    return kept.to(dtype) / (1 - share)


class Block(nn.Module):
    """One transformer block with gated residuals and learnt biases for distance and time."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.wide = nn.Linear(dim, 4 * dim, bias=False)
        self.narrow = nn.Linear(2 * dim, dim, bias=False)
        self.gates = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Hidden x (B, L, dim); bias (B, heads, L, L) added to the attention's logits."""
        q, k, v = self._split(self.qkv(self.before(x)), 3)
        return self._answer(x, q, k, v, bias)

    def newest(self, x: Tensor, bias: Tensor) -> Tensor:
        """What `forward` gives for the last step alone, (B, 1, dim); bias (B, heads, 1, L)."""
        dim, normal = x.shape[-1], self.before(x)
        [q] = self._split(functional.linear(normal[:, -1:], self.qkv.weight[:dim]), 1)
        k, v = self._split(functional.linear(normal, self.qkv.weight[dim:]), 2)
        return self._answer(x[:, -1:], q, k, v, bias)

    def _split(self, x: Tensor, parts: int) -> Sequence[Tensor]:
        """(B, L, parts · dim) -> so many of (B, heads, L, dim / heads)."""
        b, length, wide = x.shape
        split = x.view(b, length, parts, self.heads, wide // parts // self.heads)
        return split.permute(2, 0, 3, 1, 4).unbind(0)

    def _answer(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias
        heard = (logits.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        x = x + torch.sigmoid(self.gates[0](x)) * self.dropout(self.out(heard))
        value, gate = self.wide(self.between(x)).chunk(2, -1)
        thought = self.narrow(self.dropout(functional.silu(gate) * value))
        y: Tensor = x + torch.sigmoid(self.gates[1](x)) * self.dropout(thought)
        return y


class UserTower(nn.Module):
    """The last events, each as its item's vector, become one vector per step."""

    def __init__(self, dim: int, history: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.history = history
        self.outcomes = nn.Embedding(OUTCOMES, dim)
        self.distance = nn.Parameter(torch.zeros(HEADS, history))
        self.time = nn.Embedding(TIME_BUCKETS, HEADS)
        self.recency = nn.Embedding(TIME_BUCKETS, dim)
        self.blocks = nn.ModuleList([Block(dim, HEADS, dropout) for _ in range(blocks)])
        self.last = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.outcomes.weight, std=0.02)
        nn.init.normal_(self.recency.weight, std=0.02)
        nn.init.zeros_(self.time.weight)

    def forward(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> Tensor:
        """Vectors (B, L, dim), outcomes (B, L), spans (B, L, L) uint8 -> (B, L, dim)."""
        bias = self._bias(spans)
        x = self._told(vectors, outcomes, _waits(spans).long())
        half = precision()
        with torch.autocast("cpu", half, enabled=self.training and half != torch.float32):
            for block in self.blocks:
                x = block(x, bias)
        users: Tensor = self.last(x.float())
        return users

    def newest(self, vectors: Tensor, outcomes: Tensor, waits: Tensor, ages: Tensor) -> Tensor:
        """The last step alone, (B, dim): what a request needs.

        Of the spans it reads two lines, each (B, L): `waits`, from each event to the next one, and
        `ages`, from each event to now.
        """
        [block] = cast("list[Block]", list(self.blocks))
        back = torch.arange(vectors.shape[1]).flip(0)
        bias = self.distance[:, back] + self.time(ages).permute(0, 2, 1)
        x = self._told(vectors, outcomes, waits)
        users: Tensor = self.last(block.newest(x, bias[:, :, None])[:, -1])
        return users

    def newest_of(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> Tensor:
        """`newest` of a tower of several blocks: the earlier ones need all spans, (B, L, L)."""
        *before, block = cast("list[Block]", list(self.blocks))
        bias = self._bias(spans)
        x = self._told(vectors, outcomes, _waits(spans))
        for each in before:
            x = each(x, bias)
        users: Tensor = self.last(block.newest(x, bias[:, :, -1:])[:, -1])
        return users

    def _bias(self, spans: Tensor) -> Tensor:
        """The attention's biases, (B, heads, L, L)."""
        if self.training:
            biases: Tensor = _Bias.apply(self.distance, self.time.weight, spans)  # type: ignore[no-untyped-call]
            return biases
        step = torch.arange(spans.shape[1])
        apart = step[:, None] - step[None, :]
        times: Tensor = self.time(spans.long()).permute(0, 3, 1, 2)
        bias = self.distance[:, apart.clamp(min=0)] + times
        return bias.masked_fill(apart < 0, AFTER)

    def _told(self, vectors: Tensor, outcomes: Tensor, waits: Tensor) -> Tensor:
        told: Tensor = self.dropout(vectors + self.outcomes(outcomes) + self.recency(waits))
        return told


class AveragedUsers(nn.Module):
    """Towers that were learnt apart, as one: each reads and answers its part of the numbers.

    Beside items of `side_by_side` the product is the mean of the towers' own products.
    """

    def __init__(self, towers: Sequence[UserTower]) -> None:
        super().__init__()
        self.towers, self.history = nn.ModuleList(towers), towers[0].history

    @property
    def blocks(self) -> nn.ModuleList:
        """Those of one tower; all have as many."""
        return self.members[0].blocks

    @property
    def members(self) -> list[UserTower]:
        """One by one."""
        return cast("list[UserTower]", list(self.towers))

    def forward(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> Tensor:
        """As `UserTower.forward`."""
        return self._mean([t(v, outcomes, spans) for t, v in self._parts(vectors)])

    def newest(self, vectors: Tensor, outcomes: Tensor, waits: Tensor, ages: Tensor) -> Tensor:
        """As `UserTower.newest`."""
        return self._mean([t.newest(v, outcomes, waits, ages) for t, v in self._parts(vectors)])

    def newest_of(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> Tensor:
        """As `UserTower.newest_of`."""
        return self._mean([t.newest_of(v, outcomes, spans) for t, v in self._parts(vectors)])

    def _parts(self, vectors: Tensor) -> Iterable[tuple[UserTower, Tensor]]:
        return zip(self.members, vectors.chunk(len(self.towers), -1), strict=True)

    def _mean(self, told: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(told), -1) / len(told)


Users: TypeAlias = UserTower | AveragedUsers


def side_by_side(towers: Sequence[ItemTower]) -> ItemTower:
    """One tower whose vectors are those of all, one behind the other."""
    both = copy.deepcopy(towers[0])
    both.weight = nn.Parameter(torch.cat([each.weight.detach() for each in towers], 1))
    both.delta = nn.Parameter(torch.cat([each.delta.detach() for each in towers], 1))
    both.bag.weight = nn.Parameter(torch.cat([each.bag.weight.detach() for each in towers], 1))
    both.bag.embedding_dim = both.bag.weight.shape[1]
    return both


def _waits(spans: Tensor) -> Tensor:
    """(B, L): from each event to the moment that its step predicts."""
    step = torch.arange(spans.shape[1])
    return spans.gather(2, step.view(1, -1, 1).expand(len(spans), -1, 1)).squeeze(2)


class _Bias(torch.autograd.Function):
    """`UserTower._bias` in one pass over memory, and the sums of its gradients in another."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor, time: Tensor, spans: Tensor) -> Tensor:
        size, length, _ = spans.shape
        out = np.full((size, len(distance), length, length), AFTER, np.float32)
        _add_biases(distance.detach().numpy(), time.detach().numpy(), spans.numpy(), out)
        ctx.spans, ctx.shapes = spans.numpy(), (distance.shape, time.shape)
        return torch.from_numpy(out).to(precision())

    @staticmethod
    def backward(ctx: Any, *outside: Tensor) -> tuple[Tensor, Tensor, None]:
        distance, time = (np.zeros(shape, np.float32) for shape in ctx.shapes)
        _sum_biases(outside[0].float().contiguous().numpy(), ctx.spans, distance, time)
        return torch.from_numpy(distance), torch.from_numpy(time), None


@kernel
def _add_biases(distance: Floats, time: Floats, spans: NDArray[np.uint8], out: Floats) -> None:
    for row in range(len(spans)):
        for head in range(len(distance)):
            for step in range(spans.shape[1]):
                for at in range(step + 1):
                    bias = distance[head, step - at] + time[spans[row, step, at], head]
                    out[row, head, step, at] = bias


@kernel
def _sum_biases(outside: Floats, spans: NDArray[np.uint8], distance: Floats, time: Floats) -> None:
    for row in range(len(spans)):
        for head in range(len(distance)):
            for step in range(spans.shape[1]):
                for at in range(step + 1):
                    distance[head, step - at] += outside[row, head, step, at]
                    time[spans[row, step, at], head] += outside[row, head, step, at]


def encode(users: Users, table: Tensor, steps: Steps) -> Tensor:
    """User vectors at every step, (B, L, dim), from the item vectors `table` (rows, dim)."""
    vectors = functional.embedding(torch.from_numpy(steps.items), table)
    encoded: Tensor = users(
        vectors, torch.from_numpy(steps.outcomes), torch.from_numpy(steps.spans)
    )
    return encoded
