"""A sequence model as a peer: self-attention over the last items (Kang and McAuley 2018).

In the form that is hardest to beat: gated residuals (eSASRec), a softmax over the whole catalogue
in which what a person had is left out, random windows of long histories, averaged weights, and a
learning rate that falls with a cosine. A tenth of the users' last items stop it early.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from compared.peers import Peer, Scorer, Settings, grid_of, popularity, standard
from compared.questions import Past
from palate.arrays import Floats, Rows

HELD, FEWEST = 0.1, 6
"""Share of the users whose last item stops the learning, and how many items they have at least."""
LOOKS, PATIENCE = 15, 5
"""How often it looks at these over the passes, and how many looks in vain end it."""
WARM_UP, LOWEST, KEPT = 100, 0.03, 0.995
MIDST = 0.5
"""Share of the long histories of which a pass takes a window from the midst."""
CUT, TOGETHER = 10, 256
NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is, and how it learns."""

    dim: int
    blocks: int
    history: int
    dropout: float
    epochs: int
    steps: int
    """Of a batch, about."""
    heads: int = 2
    seed: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


class Block(nn.Module):
    """Attention and a gated layer, each let through by a gate."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        dim = shape.dim
        self.heads = shape.heads
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.asked, self.told = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(2 * dim, dim)
        self.gates = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, dim), each step of what came until then."""
        b, length, dim = x.shape
        parts = self.asked(self.first(x)).view(b, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        seen = self.drop(self.told(seen.transpose(1, 2).reshape(b, length, dim)))
        x = x + torch.sigmoid(self.gates[0](x)) * seen
        much, gate = self.wide(self.second(x)).chunk(2, -1)
        made = self.drop(self.narrow(self.drop(functional.silu(much) * gate)))
        mixed: Tensor = x + torch.sigmoid(self.gates[1](x)) * made
        return mixed


class SasRec(nn.Module):
    """Items and places as vectors, blocks over them; places are counted from the newest."""

    def __init__(self, items: int, shape: Shape) -> None:
        super().__init__()
        self.items, self.places = (
            nn.Embedding(items, shape.dim),
            nn.Embedding(shape.history, shape.dim),
        )
        for table in (self.items, self.places):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.blocks))
        self.end, self.drop = nn.LayerNorm(shape.dim), nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, sizes: Tensor) -> Tensor:
        """(B, L) rows, right-padded, and their lengths -> (B, L, dim)."""
        back = (sizes[:, None] - 1 - torch.arange(x.shape[1])).clamp_(min=0)
        h = self.drop(self.items(x) + self.places(back))
        for block in self.blocks:
            h = block(h)
        ended: Tensor = self.end(h)
        return ended


def laid(histories: Sequence[Rows]) -> tuple[Tensor, Tensor]:
    """Histories side by side, right-padded with 0, and their lengths."""
    sizes = np.array([len(h) for h in histories], np.int64)
    x = np.zeros((len(histories), max(int(sizes.max(initial=1)), 1)), np.int64)
    for row, history in zip(x, histories, strict=True):
        row[: len(history)] = history
    return torch.from_numpy(x), torch.from_numpy(sizes)


def scores_of(model: SasRec, histories: Sequence[Rows], history: int) -> Floats:
    """(histories, items): what comes after each; nobody's past is the same for all."""
    model.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(histories), TOGETHER):
            x, sizes = laid([h[-history:] for h in histories[start : start + TOGETHER]])
            last = model(x, sizes.clamp(min=1))[torch.arange(len(x)), sizes.clamp(min=1) - 1]
            found.append((last @ model.items.weight.T).numpy())
    model.train()
    return np.concatenate(found)


class Fitting:
    """One model on its way."""

    def __init__(self, histories: Sequence[Rows], size: int, shape: Shape) -> None:
        torch.manual_seed(shape.seed)
        self.dice, self.shape, self.size = np.random.default_rng(shape.seed), shape, size
        long = [at for at, h in enumerate(histories) if len(h) >= FEWEST]
        many = max(1, int(HELD * len(long))) if long else 0
        held = set(self.dice.choice(long, many, replace=False).tolist()) if many else set()
        self.held = [histories[at] for at in sorted(held)]
        taught = [h[:-1] if at in held else h for at, h in enumerate(histories)]
        self.taught = [h for h in taught if len(h) > 1]
        self.model = SasRec(size, shape)
        self.mean = copy.deepcopy(self.model).requires_grad_(requires_grad=False)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            shape.learning_rate,
            (0.9, 0.98),
            weight_decay=shape.weight_decay,
        )

    def run(self) -> SasRec:
        """The averaged weights that foresaw the held items best; where none are, the last."""
        best, state, vain = -1.0, self.mean.state_dict(), 0
        look, step = max(self.shape.epochs // LOOKS, 1), 0
        for epoch in range(self.shape.epochs):
            for batch in self._batches():
                done = (epoch + 0.5) / self.shape.epochs
                self._learn(batch, step, done)
                step += 1
            if (epoch + 1) % look == 0:
                reached = self._foresees() if self.held else float(epoch)
                vain = 0 if reached > best else vain + 1
                if reached > best:
                    best, state = reached, copy.deepcopy(self.mean.state_dict())
                if vain == PATIENCE:
                    break
        self.mean.load_state_dict(state)
        return self.mean

    def _batches(self) -> Iterator[list[Rows]]:
        """Windows of like length together; of some long histories one from their midst."""
        width, windows = self.shape.history + 1, []
        for history in self.taught:
            end = len(history)
            if end > width and self.dice.random() < MIDST:
                end = int(self.dice.integers(width, end + 1))
            windows.append(history[max(0, end - width) : end])
        order = np.argsort([len(w) + self.dice.random() * 0.5 for w in windows])[::-1]
        batches, at = [], 0
        while at < len(order):
            many = max(4, self.shape.steps // (len(windows[order[at]]) - 1))
            batches.append(order[at : at + many])
            at += many
        for which in self.dice.permutation(len(batches)).tolist():
            yield [windows[place] for place in batches[which]]

    def _learn(self, windows: list[Rows], step: int, done: float) -> None:
        falling = LOWEST + (1.0 - LOWEST) * 0.5 * (1.0 + math.cos(math.pi * done))
        rate = self.shape.learning_rate * min(1.0, (step + 1) / WARM_UP) * falling
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        x, sizes = laid([w[:-1] for w in windows])
        wanted = torch.arange(x.shape[1]) < sizes[:, None]
        aims = torch.from_numpy(np.concatenate([w[1:] for w in windows]).astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(x, sizes)[wanted] @ self.model.items.weight.T
        loss = functional.cross_entropy(logits.masked_fill(_had(windows, self.size), NEVER), aims)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        share = 1.0 - min(KEPT, step / (step + 10.0))
        with torch.no_grad():
            for mean, own in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(own, share)

    def _foresees(self) -> float:
        """N@10 of the held items."""
        scores = scores_of(self.mean, [h[:-1] for h in self.held], self.shape.history)
        ranks = np.array([_rank(row, h) for row, h in zip(scores, self.held, strict=True)])
        return float(np.where(ranks < CUT, 1.0 / np.log2(ranks + 2.0), 0.0).mean())


def _had(windows: Sequence[Rows], size: int) -> Tensor:
    """(steps, items): what each step's past holds."""
    mask, start = np.zeros((sum(len(w) - 1 for w in windows), size), np.bool_), 0
    for window in windows:
        step, back = np.tril_indices(len(window) - 1)
        mask[start + step, window[back]] = True
        start += len(window) - 1
    return torch.from_numpy(mask)


def _rank(scores: Floats, history: Rows) -> int:
    """How many unseen items stand before the last of a history."""
    aim = float(scores[history[-1]])
    scores[history] = NEVER
    return int((scores >= aim).sum())


SMALL = {"dim": 64, "blocks": 1, "history": 100, "dropout": 0.4, "epochs": 60, "steps": 1_024}
LARGE = {"dim": 128, "blocks": 2, "history": 200, "dropout": 0.2, "epochs": 40, "steps": 2_048}
MANY = 300_000
"""Events beyond which the large one is learnt: fits take minutes, so sizes are not searched."""
_learnt: dict[tuple[Any, ...], tuple[Past, Scorer]] = {}
"""What was fitted in this process: warm and cold are asked of the same model."""


def sasrec(past: Past, settings: Settings) -> Scorer:
    """Fit, unless that was done, in a size for so much data or as it is set."""
    key = (id(past), *sorted(settings.items()))
    if key not in _learnt:
        usual = LARGE if len(past.items) > MANY else SMALL
        shape = Shape(**{**usual, **settings})
        model = Fitting(past.histories, past.size, shape).run()
        _learnt[key] = past, lambda histories, _: scores_of(model, histories, shape.history)
    return _learnt[key][1]


def sasrec_and_recent(past: Past, settings: Settings) -> Scorer:
    """The same and recent popularity, each standardised, the latter as its root."""
    by_taste = sasrec(past, settings)

    def score(histories: Sequence[Rows], how: Settings) -> Floats:
        recent: NDArray[np.float32] = np.sqrt(popularity(past, how)(histories[:1], {})[0])
        scores = standard(by_taste(histories, {}))
        scores += np.float32(how["weight"]) * standard(recent[None])
        return scores

    return score


SEQUENCES = {
    peer.name: peer
    for peer in (
        Peer("SASRec", sasrec),
        Peer(
            "SASRec + popularity", sasrec_and_recent, ({},),
            grid_of(days=(7, 30), weight=(0.1, 0.3, 1.0, 2.0, 4.0, 8.0)), timed=True,
        ),
    )
}  # fmt: skip
