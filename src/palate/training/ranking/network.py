"""Trains the ranker: the order of whole lists, and each head's probability, together."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from palate.arrays import Floats
from palate.funnel.worth import PATIENCE as WAIT
from palate.models.ranker import HEADS
from palate.settings import TrainingSettings
from palate.training.export import as_tensor
from palate.training.ranking.lists import RankedList
from palate.training.report import Report

WIDE, NARROW = 128, 64
LISTS = 32
"""Lists in a batch."""
RATE = 2e-3
DECAY = 1e-2
DROPOUT = 0.3
CLIP = 6.0
"""Standard deviations beyond which a feature says no more."""
CONSTANT = 1e-4
"""A feature that varies less in training is not listened to: what it does when it varies in life
(impressions do, and reconstructed rows have none) was never learnt."""
LEARNT = 0.5
"""The network's share in the answer's logits; the rest is the logarithm of fusion's worth. Half and
half was better than either alone for warm and for cold users, in every split it was tried on."""
FAINT = 1e-4
"""Worth of what no generator with a weight found: its logarithm has to be a number."""
PATIENCE = 3
AVERAGING = 0.98
ABSENT = -1e9


class RankerNetwork(nn.Module):
    """Features are squashed and standardised inside, so that serving feeds them as they are.

    `votes` are fusion's weights by column (of 1 / a generator's rank); without them the network
    answers alone.
    """

    def __init__(self, rows: Floats, votes: Mapping[int, float] | None = None) -> None:
        super().__init__()
        votes = votes or {}
        squashed = _squash(as_tensor(rows))
        self.register_buffer("mean", squashed.mean(0))
        spread = squashed.std(0)
        told = spread > CONSTANT
        self.register_buffer("gain", torch.where(told, 1.0 / spread, 0.0))
        self.register_buffer("places", torch.tensor(list(votes), dtype=torch.int64))
        weights = torch.tensor(list(votes.values()), dtype=torch.float32)
        self.register_buffer("votes", torch.where(told[list(votes)], weights, 0.0))
        self.register_buffer("anchor", torch.zeros(len(HEADS)))
        self.learnt = LEARNT if votes else 1.0
        width = rows.shape[1]
        self.body = nn.Sequential(
            nn.Linear(width, WIDE), nn.SiLU(), nn.Dropout(DROPOUT),
            nn.Linear(WIDE, NARROW), nn.SiLU(), nn.Dropout(DROPOUT),
        )  # fmt: skip
        self.straight = nn.Linear(width, len(HEADS))
        self.heads = nn.Linear(NARROW, len(HEADS), bias=False)
        nn.init.zeros_(self.straight.weight)
        nn.init.constant_(self.straight.bias, -3.0)

    def logits(self, features: Tensor) -> Tensor:
        """(…, features) -> (…, heads)."""
        mean, gain = self.get_buffer("mean"), self.get_buffer("gain")
        x = ((_squash(features) - mean) * gain).clamp(-CLIP, CLIP)
        heads: Tensor = self.straight(x) + self.heads(self.body(x))
        return heads

    def forward(self, features: Tensor) -> Tensor:
        """(n, features) -> raw probabilities (n, heads)."""
        own = self.logits(features)
        if self.learnt < 1.0:
            fused = self.fused(features) + self.get_buffer("anchor")
            own = self.learnt * own + (1.0 - self.learnt) * fused
        return torch.sigmoid(own)

    def fused(self, features: Tensor) -> Tensor:
        """(n, 1): the logarithm of what weighted fusion makes of the ranks."""
        close = features.index_select(-1, self.get_buffer("places"))
        worth = close * self.get_buffer("votes") / (1.0 + WAIT * close)
        return torch.log(worth.sum(-1, keepdim=True) + FAINT)

    def settle(self, features: Tensor) -> None:
        """Lift fusion to the height of the heads' own logits, on average over these rows."""
        with torch.no_grad():
            anchor = (self.logits(features) - self.fused(features)).mean(0)
            self.get_buffer("anchor").copy_(anchor)


def _squash(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.log(1.0 + x.abs())


class ListBatch(NamedTuple):
    """Lists of unequal length, padded."""

    features: Tensor
    """(B, K, features)."""
    labels: Tensor
    """(B, K, heads)."""
    weights: Tensor
    """(B, K): how many items a row stands for; 0 for padding."""


def lay_out(lists: Sequence[RankedList]) -> ListBatch:
    """Lay lists side by side."""
    longest = max(len(each.kept) for each in lists)
    features = np.zeros((len(lists), longest, lists[0].features.shape[1]), np.float32)
    labels = np.zeros((len(lists), longest, len(HEADS)), np.float32)
    weights = np.zeros((len(lists), longest), np.float32)
    for i, each in enumerate(lists):
        n = len(each.kept)
        features[i, :n], labels[i, :n] = each.features, each.labels[each.kept]
        weights[i, :n] = row_weights(each)
    return ListBatch(*map(as_tensor, (features, labels, weights)))


def row_weights(each: RankedList) -> Floats:
    """(kept,): 1 for what was taken, the sampling's weight for the others."""
    taken = each.labels[each.kept].any(axis=1)
    return np.where(taken, 1.0, each.weight).astype(np.float32)


def loss_of(network: RankerNetwork, batch: ListBatch) -> Tensor:
    """Order (softmax over each list, sampling undone) plus cross-entropy of every head."""
    logits = network.logits(batch.features)
    present = batch.weights > 0
    corrected = torch.where(present, logits[..., 0] + batch.weights.clamp(min=1e-9).log(), ABSENT)
    clicks = batch.labels[..., 0]
    share = clicks / clicks.sum(1, keepdim=True).clamp(min=1.0)
    order = -(share * corrected.log_softmax(1)).sum(1)
    each = functional.binary_cross_entropy_with_logits(logits, batch.labels, reduction="none")
    heads = (each * batch.weights[..., None]).sum((0, 1)) / batch.weights.sum()
    return order.mean() + 10.0 * heads.sum()


@dataclass(slots=True)
class Fitted:
    """A trained network, as it was when it did best."""

    network: RankerNetwork
    epochs: int = 0
    """Passes until then."""
    loss: float = math.inf
    """On the lists held out."""


def fit_ranker(
    train: Sequence[RankedList],
    held: Sequence[RankedList],
    votes: Mapping[int, float],
    settings: TrainingSettings,
    report: Report,
) -> Fitted:
    """Train on `train`, stop where `held` no longer gains; without `held`, at the last epoch.

    Deterministic with the seed.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    dice = np.random.Generator(np.random.PCG64(settings.seed))
    rows = np.concatenate([each.features for each in train])
    network = RankerNetwork(rows, votes)
    mean = copy.deepcopy(network).eval()
    best, started = Fitted(copy.deepcopy(mean)), perf_counter()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    watched, step = lay_out(held) if held else None, 0
    total = settings.ranker_epochs * math.ceil(len(train) / LISTS)
    for epoch in range(1, settings.ranker_epochs + 1):
        order = dice.permutation(len(train))
        for at in range(0, len(order), LISTS):
            _pace(optimiser, step / total)
            _update(network, optimiser, lay_out([train[i] for i in order[at : at + LISTS]]))
            step += 1
            _average(mean, network, min(AVERAGING, step / (step + 20)))
        loss = _watched_loss(mean, watched)
        if loss < best.loss or watched is None:
            best = Fitted(copy.deepcopy(mean), epoch, loss)
        spent = perf_counter() - started
        report(
            "ranker",
            epoch / settings.ranker_epochs,
            f"epoch {epoch}/{settings.ranker_epochs},"
            + (f" held-out loss {loss:.4f}," if held else " over every moment,")
            + f" {spent / epoch * (settings.ranker_epochs - epoch):.0f} s left",
        )
        if epoch - best.epochs >= PATIENCE or spent > settings.ranker_seconds:
            break
    best.network.settle(as_tensor(rows))
    return best


def _watched_loss(network: RankerNetwork, watched: ListBatch | None) -> float:
    if watched is None:
        return math.nan
    with torch.inference_mode():
        return float(loss_of(network, watched))


def _pace(optimiser: torch.optim.Optimizer, progress: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = RATE * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))


def _update(network: RankerNetwork, optimiser: torch.optim.Optimizer, batch: ListBatch) -> None:
    network.train()
    loss = loss_of(network, batch)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _average(mean: RankerNetwork, live: RankerNetwork, keep: float) -> None:
    with torch.no_grad():
        for ours, theirs in zip(mean.parameters(), live.parameters(), strict=True):
            ours.lerp_(theirs, 1 - keep)
