"""Trains the ranker's network: the order of whole lists, and each head's probability, together."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import thread_time
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from palate.arrays import Floats
from palate.models.gauss import Gauss
from palate.models.ranker import HEADS, Taste
from palate.settings import TrainingSettings
from palate.training.export import as_tensor
from palate.training.ranking.lists import RankedList, thinned
from palate.training.ranking.moments.rows import HISTORY
from palate.training.ranking.network import PLACES, RankerNetwork, Seen, Shape, spread_of
from palate.training.report import Report

LISTS = 32
"""Lists in a batch."""
RATE = 4e-3
STOOD = 10.0
"""How much faster than all else the tower of places learns: it has one number a place."""
DECAY = 1e-2
PATIENCE = 2
AVERAGING = 0.98
ABSENT = -1e9
ODDS, AFTER = 10.0, 0.3
"""Weight of the heads' cross-entropy beside the order, and of what follows a click."""
SETTLED = 400
"""Lists that tell how high fusion has to be lifted."""
CHUNK = 64
"""Lists answered for at once."""


class Recipe(NamedTuple):
    """What a network is made with besides its lists."""

    votes: Mapping[int, float]
    """Fusion's weights by column."""
    vectors: Floats
    """(rows, dim) item vectors of unit length; (0, 0) for none."""


@dataclass(slots=True)
class Fitted:
    """A trained network, as it was when it did best."""

    network: RankerNetwork
    gauss: Gauss
    """Of the columns that are read."""
    vectors: Floats
    reads: NDArray[np.intp]
    """Columns of the lists' features that say anything; the others were constant in training."""
    epochs: int = 0
    """Passes until then."""
    loss: float = math.inf
    """On the lists held out."""

    def taste(self, each: RankedList) -> Taste | None:
        """What the network compares on one list, as serving has it."""
        if not self.vectors.shape[1]:
            return None
        known = each.history < len(self.vectors)
        rows, past = each.rows[each.kept], each.history[known]
        return Taste(self.vectors[rows], self.vectors[past], each.outcomes[known])

    def inputs(self, each: RankedList) -> Floats:
        """(kept, reads): the features that are read, as serving has them."""
        return each.features.take(self.reads, axis=1)

    def raw(self, lists: Sequence[RankedList]) -> Floats:
        """(rows, heads): raw probabilities of the kept rows, end to end."""
        out = []
        for at in range(0, len(lists), CHUNK):
            part = lists[at : at + CHUNK]
            laid = lay_out(part, self)
            with torch.inference_mode():
                raw = self.network.eval().probabilities(laid.seen).numpy()
            out += [raw[i, : len(each.kept)] for i, each in enumerate(part)]
        return np.concatenate(out)


class ListBatch(NamedTuple):
    """Lists of unequal length, padded."""

    seen: Seen
    labels: Tensor
    """(B, K, heads)."""
    weights: Tensor
    """(B, K): how many items a row stands for; 0 for padding."""
    places: Tensor
    """(B, K): where the item stood, 0 where nobody knows."""

    def take(self, which: Tensor) -> "ListBatch":
        """Some of the lists."""
        seen = Seen(*(each[which] for each in self.seen))
        return ListBatch(seen, self.labels[which], self.weights[which], self.places[which])


def lay_out(lists: Sequence[RankedList], fitted: Fitted) -> ListBatch:
    """Lay lists side by side, as a network reads them."""
    gauss, vectors = fitted.gauss, fitted.vectors
    size, longest = len(lists), max(len(each.kept) for each in lists)
    features = np.zeros((size, longest, len(fitted.reads)), np.float32)
    labels = np.zeros((size, longest, len(HEADS)), np.float32)
    weights = np.zeros((size, longest), np.float32)
    places = np.zeros((size, longest), np.int64)
    rows = np.full((size, longest), -1, np.int64)
    past = np.full((size, HISTORY), -1, np.int64)
    outcomes = np.full((size, HISTORY), -1, np.int64)
    for i, each in enumerate(lists):
        n, m = len(each.kept), len(each.history)
        features[i, :n], labels[i, :n] = fitted.inputs(each), each.labels[each.kept]
        weights[i, :n], rows[i, :n] = row_weights(each), each.rows[each.kept]
        past[i, :m], outcomes[i, :m] = each.history, each.outcomes
        if each.place is not None:
            places[i, :n] = np.minimum(each.place[each.kept], PLACES)
    scaled = gauss(features.reshape(size * longest, -1)).reshape(features.shape)
    known = (past >= 0) & (past < len(vectors))
    seen = Seen(
        as_tensor(scaled),
        as_tensor(features[..., fitted.network.close]),
        as_tensor(_picked(vectors, rows)),
        as_tensor(_picked(vectors, past)),
        torch.from_numpy(np.where(known, outcomes, -1)),
    )
    return ListBatch(seen, as_tensor(labels), as_tensor(weights), torch.from_numpy(places))


def _picked(vectors: Floats, rows: np.ndarray) -> Floats:
    if not vectors.shape[1]:
        return np.zeros((*rows.shape, 0), np.float32)
    known = (rows >= 0) & (rows < len(vectors))
    picked: Floats = vectors[np.where(known, rows, 0)] * known[..., None]
    return picked.astype(np.float32, copy=False)


def row_weights(each: RankedList) -> Floats:
    """(kept,): 1 for what was taken, the sampling's weight for the others."""
    taken = each.labels[each.kept].any(axis=1)
    return np.where(taken, 1.0, each.weight).astype(np.float32)


def loss_of(network: RankerNetwork, batch: ListBatch) -> Tensor:
    """Order (softmax over each list, sampling undone) plus cross-entropy of every head."""
    logits, present = network.logits(batch.seen), batch.weights > 0
    clicks = batch.labels[..., 0]
    own = logits[..., 0] + network.stood(batch.places)[..., 0]
    corrected = torch.where(present, own + batch.weights.clamp(min=1e-9).log(), ABSENT)
    share = clicks / clicks.sum(1, keepdim=True).clamp(min=1.0)
    order = -(share * corrected.log_softmax(1)).sum(1)
    click = _entropy(own, clicks, batch.weights)
    down = _entropy(logits[..., 3], batch.labels[..., 3], batch.weights)
    after = [_entropy(logits[..., i], batch.labels[..., i], clicks * present) for i in (1, 2)]
    return order.mean() + ODDS * (click + down) + AFTER * (after[0] + after[1])


def _entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=1.0)


def fit_ranker(
    train: Sequence[RankedList],
    held: Sequence[RankedList],
    recipe: Recipe,
    settings: TrainingSettings,
    report: Report,
) -> Fitted:
    """Train on `train`, stop where `held` no longer gains; without `held`, at the last epoch.

    Deterministic with the seed.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    dice = np.random.Generator(np.random.PCG64(settings.seed))
    train, held = ([thinned(x, settings.ranker_candidates, dice) for x in y] for y in (train, held))
    whole = spread_of(np.concatenate([each.features for each in train]))
    reads = np.flatnonzero(whole.values.any(axis=1))
    told = {at: recipe.votes[old] for at, old in enumerate(reads.tolist()) if old in recipe.votes}
    shape = Shape(len(reads), recipe.vectors.shape[1], settings.ranker_width)
    gauss = Gauss(whole.places[reads], whole.values[reads])
    best = Fitted(RankerNetwork(shape, told), gauss, recipe.vectors, reads)
    watched = lay_out(held, best) if held else None
    run = _Run(best, lay_out(train, best), watched, settings, dice)
    run.learn(report)
    best.network.settle(run.batch.take(torch.arange(min(len(train), SETTLED))).seen)
    return best


def _optimiser(network: RankerNetwork) -> torch.optim.Optimizer:
    """Where a thing stood is found out first, before what put it there is believed."""
    named = list(network.named_parameters())
    stood = [each for name, each in named if name.startswith("stood.")]
    others = [each for name, each in named if not name.startswith("stood.")]
    groups = [
        {"params": others, "initial_lr": RATE, "weight_decay": DECAY},
        {"params": stood, "initial_lr": STOOD * RATE, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=RATE)


class _Run:
    """Passes over the lists; what was best so far is put into `best`."""

    def __init__(
        self,
        best: Fitted,
        batch: ListBatch,
        watched: ListBatch | None,
        settings: TrainingSettings,
        dice: np.random.Generator,
    ) -> None:
        self.best, self.batch, self.watched = best, batch, watched
        self.settings, self.dice = settings, dice
        self.network, self.mean = best.network, copy.deepcopy(best.network).eval()
        self.optimiser = _optimiser(self.network)
        self.step = 0

    def learn(self, report: Report) -> None:
        """At most `ranker_epochs` passes within `ranker_seconds`."""
        started, epochs = thread_time(), self.settings.ranker_epochs
        for epoch in range(1, epochs + 1):
            self._pass()
            loss = self._loss()
            if loss < self.best.loss or self.watched is None:
                self.best.network = copy.deepcopy(self.mean)
                self.best.epochs, self.best.loss = epoch, loss
            spent = thread_time() - started
            told = f"held-out loss {loss:.4f}" if self.watched else "over every moment"
            left = spent / epoch * (epochs - epoch)
            report("ranker", epoch / epochs, f"epoch {epoch}/{epochs}, {told}, {left:.0f} s left")
            tired = epoch - self.best.epochs >= PATIENCE
            if tired or spent > self.settings.ranker_seconds:
                break

    def _pass(self) -> None:
        order = torch.from_numpy(self.dice.permutation(len(self.batch.labels)))
        steps = math.ceil(len(order) / LISTS) * self.settings.ranker_epochs
        for at in range(0, len(order), LISTS):
            for group in self.optimiser.param_groups:
                share = 0.5 * (1 + math.cos(math.pi * self.step / steps))
                group["lr"] = group["initial_lr"] * (0.05 + 0.95 * share)
            self.network.train()
            loss = loss_of(self.network, self.batch.take(order[at : at + LISTS]))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.step += 1
            self._average(min(AVERAGING, self.step / (self.step + 20)))

    def _loss(self) -> float:
        if self.watched is None:
            return math.nan
        with torch.inference_mode():
            return float(loss_of(self.mean, self.watched))

    def _average(self, keep: float) -> None:
        with torch.no_grad():
            pairs = zip(self.mean.parameters(), self.network.parameters(), strict=True)
            for ours, theirs in pairs:
                ours.lerp_(theirs, 1 - keep)
