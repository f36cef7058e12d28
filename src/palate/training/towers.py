"""The two-tower as torch modules. What they learn is served by `palate.models.two_tower`."""

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from palate.arrays import Floats
from palate.models.two_tower import TIME_BUCKETS, ItemTable
from palate.training.sequences import Steps

GATE = 10.0
"""Events after which an item's own correction counts for half."""
OUTCOMES = 3
DROPPED = 0.25
"""Share of items that have to live on their content alone, drawn anew each step."""


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


class ItemTower(nn.Module):
    """v = W·content + mean of its categories' vectors + gate(n)·δ, gate(n) = n / (n + 10)."""

    def __init__(self, inputs: ItemInputs, dim: int) -> None:
        super().__init__()
        count = len(inputs.names)
        self.content = torch.from_numpy(inputs.content)
        codes = np.where(inputs.categories < 0, count, inputs.categories)
        self.codes = torch.from_numpy(codes)
        self.counts = inputs.counts
        counts = torch.from_numpy(inputs.counts.astype(np.float32))
        self.gate = (counts / (counts + GATE))[:, None]
        self.weight = nn.Parameter(torch.randn(inputs.content.shape[1], dim) * 0.1)
        self.bag = nn.EmbeddingBag(count + 1, dim, mode="mean", padding_idx=count)
        self.delta = nn.Parameter(torch.randn(len(inputs.content), dim) * 0.02)
        nn.init.normal_(self.bag.weight, std=0.05)

    def forward(self) -> Tensor:
        """Every item's vector, (rows, dim); in training some go without their δ."""
        gate = self.gate
        if self.training:
            gate = gate * (torch.rand(len(gate), 1) >= DROPPED)
        vectors: Tensor = self.content @ self.weight + self.bag(self.codes) + gate * self.delta
        return vectors

    def table(self, known: NDArray[np.bool_]) -> ItemTable:
        """The tower as arrays."""
        with torch.no_grad():
            vectors = self.eval()().numpy()
        bag = self.bag.weight.detach().numpy()[:-1]
        return ItemTable(vectors, known, self.weight.detach().numpy().copy(), bag.copy())


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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Hidden x (B, L, dim); bias (B, heads, L, L) added to the attention's logits."""
        q, k, v = self._parts(x)
        return self._answer(x, q, k, v, bias)

    def newest(self, x: Tensor, bias: Tensor) -> Tensor:
        """What `forward` gives for the last step alone, (B, 1, dim); bias (B, heads, 1, L)."""
        q, k, v = self._parts(x)
        return self._answer(x[:, -1:], q[:, :, -1:], k, v, bias)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        b, length, dim = x.shape
        parts = self.qkv(self.before(x)).view(b, length, 3, self.heads, dim // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

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

    def __init__(self, dim: int, history: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.history = history
        self.outcomes = nn.Embedding(OUTCOMES, dim)
        self.distance = nn.Parameter(torch.zeros(heads, history))
        self.time = nn.Embedding(TIME_BUCKETS, heads)
        self.recency = nn.Embedding(TIME_BUCKETS, dim)
        self.blocks = nn.ModuleList([Block(dim, heads, dropout)])
        self.last = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.outcomes.weight, std=0.02)
        nn.init.normal_(self.recency.weight, std=0.02)
        nn.init.zeros_(self.time.weight)

    def forward(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> Tensor:
        """Vectors (B, L, dim), outcomes (B, L), spans (B, L, L) -> (B, L, dim)."""
        x, bias = self._heard(vectors, outcomes, spans)
        for block in self.blocks:
            x = block(x, bias)
        users: Tensor = self.last(x)
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

    def _heard(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> tuple[Tensor, Tensor]:
        """The blocks' input, and the attention's biases (B, heads, L, L)."""
        length = vectors.shape[1]
        step = torch.arange(length)
        apart = step[:, None] - step[None, :]
        bias = self.distance[:, apart.clamp(min=0)] + self.time(spans).permute(0, 3, 1, 2)
        bias = bias.masked_fill(apart < 0, -1e9)
        waits = spans.gather(2, step.view(1, -1, 1).expand(len(spans), -1, 1)).squeeze(2)
        return self._told(vectors, outcomes, waits), bias

    def _told(self, vectors: Tensor, outcomes: Tensor, waits: Tensor) -> Tensor:
        told: Tensor = self.dropout(vectors + self.outcomes(outcomes) + self.recency(waits))
        return told


class LastStep(nn.Module):
    """The user tower as it is served: one visitor, the newest step only."""

    def __init__(self, tower: UserTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, vectors: Tensor, outcomes: Tensor, waits: Tensor, ages: Tensor) -> Tensor:
        """(1, L, dim) and three of (1, L) -> (1, dim)."""
        return self.tower.newest(vectors, outcomes, waits, ages)


def encode(users: UserTower, table: Tensor, steps: Steps) -> Tensor:
    """User vectors at every step, (B, L, dim), from the item vectors `table` (rows, dim)."""
    vectors = functional.embedding(torch.from_numpy(steps.items), table)
    encoded: Tensor = users(
        vectors, torch.from_numpy(steps.outcomes), torch.from_numpy(steps.spans)
    )
    return encoded
