"""The ranker's network: crossed features beside a perceptron, and attention over the history.

Inputs on one scale (`models.gauss`) and what the attention makes of the last items are brought
down to a few dozen numbers; these go through two low-rank cross layers (DCN-V2, Wang et al. 2021)
and, beside them, a perceptron; both meet in numbers from which every head reads. View and positive
are what follows a click; half of the click's logit is weighted fusion.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn

from palate.arrays import Floats
from palate.funnel.worth import PATIENCE as WAIT
from palate.models.gauss import KNOTS, Gauss
from palate.models.ranker import HEADS

WIDE = 96
"""Numbers that the inputs are brought down to: half for the crosses, half for the perceptron.
Crossing all inputs instead took twice the time of a request and ordered no better (ML-100K)."""
SHARED = 32
LOOKS = 16
"""Width of the attention."""
CROSSES, RANK = 2, 16
DROPOUT = 0.3
CLIP = 4.0
"""Standard deviations beyond which a feature says no more."""
CONSTANT = 1e-4
"""A feature that varies less in training is not listened to: what it does when it varies in life
(impressions do, and reconstructed rows have none) was never learnt."""
ENOUGH = 40_000
"""Rows that tell a curve."""
LEARNT = 0.5
"""The network's share in the click's logit; the rest is the logarithm of fusion's worth. Half and
half was better than either alone for warm and for cold users, in every split it was tried on."""
FAINT = 1e-4
"""Worth of what no generator with a weight found: its logarithm has to be a number."""
PLACES = 64
"""Positions on a page that are told apart."""
CODES = 3
RARE = -3.0
"""Logit that the click starts from."""


def spread_of(rows: Floats) -> Gauss:
    """Rank-Gauss curves of every column; a column that hardly varies becomes 0 throughout."""
    places = np.zeros((rows.shape[1], KNOTS), np.float32)
    values = np.zeros_like(places)
    some = rows[:: -(-len(rows) // ENOUGH) or 1]
    for at in np.flatnonzero(rows.std(axis=0) > CONSTANT):
        distinct, counts = np.unique(some[:, at], return_counts=True)
        places[at], values[at] = _curve(distinct, counts / len(some))
    return Gauss(places, values)


def _curve(distinct: Floats, shares: np.ndarray) -> tuple[Floats, Floats]:
    middle = np.cumsum(shares) - shares / 2
    which = np.arange(len(distinct))
    if len(distinct) > KNOTS:
        even = np.searchsorted(middle, np.linspace(0, 1, KNOTS)).clip(0, len(distinct) - 1)
        which = np.unique(even)
    normal = ndtri(np.clip(middle, 1e-4, 1 - 1e-4))
    mean = float((normal * shares).sum())
    spread = float(np.sqrt(((normal - mean) ** 2 * shares).sum()))
    scaled = np.clip((normal - mean) / max(spread, 1e-6), -CLIP, CLIP)
    which = np.append(which, np.full(KNOTS - len(which), len(distinct) - 1))
    return distinct[which].astype(np.float32), scaled[which].astype(np.float32)


class Shape(NamedTuple):
    """How large a network is."""

    width: int
    """Features."""
    dim: int = 0
    """Of the item vectors that are compared; 0 for no attention."""
    wide: int = WIDE


class Seen(NamedTuple):
    """What the network reads, in batches of lists."""

    scaled: Tensor
    """(B, K, features) on the common scale."""
    close: Tensor
    """(B, K, votes): 1 / the rank that each generator with a vote gave."""
    candidates: Tensor
    """(B, K, dim)."""
    history: Tensor
    """(B, H, dim)."""
    outcomes: Tensor
    """(B, H); -1 where there is nothing."""


class Body(nn.Module):
    """Cross layers beside a perceptron, meeting in `SHARED` numbers."""

    def __init__(self, width: int, wide: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        half = max(wide // 2, 1)
        self.into = nn.Linear(width, half)
        self.deep = nn.Sequential(
            nn.Linear(width, half), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(half, half), nn.ReLU(),
            nn.Linear(half, SHARED),
        )  # fmt: skip
        self.down = nn.ModuleList([nn.Linear(half, RANK, bias=False) for _ in range(CROSSES)])
        self.up = nn.ModuleList([nn.Linear(RANK, half) for _ in range(CROSSES)])
        self.crossed = nn.Linear(half, SHARED)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) -> (…, SHARED)."""
        first = self.into(x)
        y = first
        for down, up in zip(self.down, self.up, strict=True):
            y = first * up(down(y)) + y
        both: Tensor = self.drop(torch.relu(self.deep(x) + self.crossed(y)))
        return both


class Attention(nn.Module):
    """Each candidate looks at the last items, and may look away."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ask = nn.Linear(dim, LOOKS, bias=False)
        self.keys = nn.Linear(dim, LOOKS, bias=False)
        self.tell = nn.Linear(dim, LOOKS, bias=False)
        self.outcome = nn.Embedding(CODES, LOOKS)
        self.how = nn.Embedding(CODES, 1)
        self.away = nn.Parameter(torch.zeros(1))
        nn.init.zeros_(self.how.weight)

    def forward(self, seen: Seen) -> Tensor:
        """(…, K, 2 · LOOKS): what was found, alone and multiplied with what was asked for."""
        codes = seen.outcomes.clamp(min=0)
        asked = self.ask(seen.candidates) * seen.candidates.shape[-1] ** 0.5
        keys = self.keys(seen.history)
        said = self.how(codes).squeeze(-1) + (seen.outcomes < 0).to(keys.dtype) * -1e4
        nothing = torch.zeros(*keys.shape[:-2], 1, LOOKS)  # what looking away finds
        keys = torch.cat([keys, nothing], dim=-2)
        said = torch.cat([said, self.away.expand(*said.shape[:-1], 1)], dim=-1)
        told = torch.cat([self.tell(seen.history) + self.outcome(codes), nothing], dim=-2)
        share = (asked @ keys.transpose(-1, -2) + said.unsqueeze(-2)).softmax(dim=-1)
        found = share @ told
        return torch.cat([found, found * asked], dim=-1)


class RankerNetwork(nn.Module):
    """Raw probabilities of every head.

    `votes` are fusion's weights by column (of 1 / a generator's rank); without them the network
    answers alone.
    """

    def __init__(self, shape: Shape, votes: Mapping[int, float] | None = None) -> None:
        super().__init__()
        votes = votes or {}
        self.shape = shape
        self.close = tuple(votes)
        """Columns of the features that fusion reads."""
        self.register_buffer("votes", torch.tensor(list(votes.values()), dtype=torch.float32))
        self.register_buffer("anchor", torch.zeros(1))
        self.learnt = LEARNT if votes else 1.0
        looks = 2 * LOOKS if shape.dim else 0
        self.attention = Attention(shape.dim) if shape.dim else None
        self.body = Body(shape.width + looks, shape.wide)
        self.straight = nn.Linear(shape.width, len(HEADS))
        self.heads = nn.Linear(SHARED, len(HEADS), bias=False)
        self.stood = nn.Embedding(PLACES + 1, 1, padding_idx=0)
        for weight in (self.straight.weight, self.straight.bias, self.stood.weight):
            nn.init.zeros_(weight)
        with torch.no_grad():
            self.straight.bias[[0, -1]] = RARE

    def layer(self, seen: Seen) -> Tensor:
        """(…, K, SHARED): what every head reads beside the features themselves."""
        x = seen.scaled
        if self.attention is not None:
            x = torch.cat([x, self.attention(seen)], dim=-1)
        shared: Tensor = self.body(x)
        return shared

    def logits(self, seen: Seen, layer: Tensor | None = None) -> Tensor:
        """(…, K, heads): click, view and positive given a click, negative."""
        shared = self.layer(seen) if layer is None else layer
        heads: Tensor = self.straight(seen.scaled) + self.heads(shared)
        return heads

    def probabilities(self, seen: Seen, layer: Tensor | None = None) -> Tensor:
        """(…, K, heads): raw probabilities; `layer` is that of `seen`, where it is known."""
        own = self.logits(seen, layer)
        click = own[..., :1]
        if self.learnt < 1.0:
            fused = self.fused(seen.close) + self.get_buffer("anchor")
            click = self.learnt * click + (1.0 - self.learnt) * fused
        click = torch.sigmoid(click)
        then = torch.sigmoid(own[..., 1:])
        return torch.cat([click, click * then[..., :2], then[..., 2:]], dim=-1)

    def fused(self, close: Tensor) -> Tensor:
        """(…, 1): the logarithm of what weighted fusion makes of the ranks."""
        worth = close * self.get_buffer("votes") / (1.0 + WAIT * close)
        return torch.log(worth.sum(-1, keepdim=True) + FAINT)

    def settle(self, seen: Seen) -> None:
        """Lift fusion to the height of the click's own logit, on average over these rows."""
        with torch.no_grad():
            own = self.logits(seen)[..., :1]
            self.get_buffer("anchor").copy_((own - self.fused(seen.close)).mean().reshape(1))
