"""Trains the two-tower: predict the next item at every step, against the whole catalogue."""

import copy
import math
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch

from palate.settings import TrainingSettings
from palate.training.report import Report
from palate.training.sequences import Sequences, Steps, batch_of, batches, cut_windows, held_out
from palate.training.softmax import FULL_SOFTMAX, Softmax
from palate.training.towers import ItemInputs, ItemTower, UserTower, encode
from palate.training.validation import ndcg, next_item_ranks

LOGITS = 1 << 22
"""Most logits held at once; decides how many steps a batch has."""
HEADS = 2
AVERAGING = 0.99
"""The served weights are a moving average of the trained ones."""
WARM_UP = 30
"""Steps until the learning rate is full."""
PROBED = 20
"""Steps after which the speed is known, and the plan is cut to what the time limit allows."""
SILENCE = 2.0
"""Seconds after which a long epoch says how far it is."""
PATIENCE = 3
"""Epochs without a better validation after which training ends."""


@dataclass(slots=True)
class Towers:
    """Both towers, and how their training went."""

    items: ItemTower
    users: UserTower
    epochs: int = 0
    """Epochs of the best validation."""
    metric: float = 0.0
    """Validation NDCG@10 of the very next item."""
    curve: tuple[float, ...] = ()


class Plan(NamedTuple):
    """How long, how hard, and what is held out."""

    epochs: int
    learning_rate: float
    until: int
    """Events from this log position on are not learnt from …"""
    validate: int
    """… and those below this position validate; equal to `until` for no validation."""


def fresh_towers(inputs: ItemInputs, settings: TrainingSettings) -> Towers:
    """Untrained towers: the same seed gives the same ones."""
    torch.manual_seed(settings.seed)
    users = UserTower(settings.dim, settings.history, HEADS, settings.dropout)
    return Towers(ItemTower(inputs, settings.dim), users)


def fit(
    towers: Towers, sequences: Sequences, settings: TrainingSettings, plan: Plan, report: Report
) -> Towers:
    """Train `towers` further, and return the average of their weights that validated best.

    Deterministic with the seed as long as the time limit does not bind.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    return _Fit(towers, sequences, settings, plan, report).run()


class _Fit:
    def __init__(
        self,
        towers: Towers,
        sequences: Sequences,
        settings: TrainingSettings,
        plan: Plan,
        report: Report,
    ) -> None:
        self.live, self.mean = towers, copy.deepcopy(towers)
        self.sequences, self.settings, self.plan, self.report = sequences, settings, plan, report
        self.dice = np.random.Generator(np.random.PCG64(settings.seed))
        self.parameters: list[torch.Tensor] = [
            *towers.items.parameters(),
            *towers.users.parameters(),
        ]
        self.averages: list[torch.Tensor] = [
            *self.mean.items.parameters(),
            *self.mean.users.parameters(),
        ]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=plan.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.softmax = Softmax(towers.items.counts, self.dice)
        self.tokens = self._tokens()
        self.horizon = float(plan.epochs)
        self.judged = plan.validate > plan.until
        self.step, self.started = 0, perf_counter()
        self.said = self.started

    def _tokens(self) -> int:
        width = min(len(self.live.items.counts), FULL_SOFTMAX)
        return int(np.clip(LOGITS // max(width, 1), 64, self.settings.batch_size))

    def run(self) -> Towers:
        best, epoch = self.mean, 0
        curve: list[float] = []
        while epoch < self.horizon:
            loss = self._epoch(epoch)
            epoch += 1
            metric = self._validate()
            curve.append(metric)
            if metric >= max(curve):
                best = copy.deepcopy(self.mean)
                best.epochs, best.metric = epoch, metric
            self._say(epoch, f"loss {loss:.3f}, next item NDCG@10 {metric:.4f}")
            if self.judged and epoch - 1 - int(np.argmax(curve)) >= PATIENCE:
                break
        best.curve = tuple(curve)
        return best

    def _validate(self) -> float:
        plan, history = self.plan, self.settings.history
        late = held_out(self.sequences, history, plan.until, plan.validate)
        return ndcg(next_item_ranks(self.mean.items, self.mean.users, late))

    def _epoch(self, epoch: int) -> float:
        windows = cut_windows(self.sequences, self.settings.history, self.plan.until, self.dice)
        cuts = list(batches(windows, self.tokens, self.dice))
        total, steps = 0.0, 0
        for done, cut in enumerate(cuts):
            at = epoch + done / len(cuts)
            self._plan_time(at)
            if at >= self.horizon:
                break
            self._pace(at / self.horizon)
            loss = self._update(batch_of(self.sequences, cut))
            total, steps = total + loss, steps + (loss > 0)
            if perf_counter() - self.said > SILENCE:
                self._say(at, f"loss {total / max(steps, 1):.3f}")
        return total / max(steps, 1)

    def _plan_time(self, at: float) -> None:
        """Shorten the plan to what the time limit allows, once the speed is known."""
        spent, limit = perf_counter() - self.started, self.settings.tower_seconds
        if self.step == PROBED and at > 0:
            self.horizon = min(self.horizon, max(limit * at / spent, at))
        elif self.step > PROBED and spent > limit:
            self.horizon = min(self.horizon, at)

    def _pace(self, progress: float) -> None:
        rate = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        warm = min(1.0, (self.step + 1) / WARM_UP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.learning_rate * warm * (0.05 + 0.95 * rate)

    def _update(self, steps: Steps) -> float:
        wanted = torch.from_numpy(steps.wanted)
        if not wanted.any():
            return 0.0
        table = self.live.items()
        hidden = encode(self.live.users, table, steps)[wanted]
        loss = self.softmax.loss(hidden, table, steps)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    def _average(self) -> None:
        keep = min(AVERAGING, self.step / (self.step + 30))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - keep)

    def _say(self, at: float, how: str) -> None:
        self.said = perf_counter()
        spent, at = self.said - self.started, min(at, self.horizon)
        rate = at * len(self.sequences.items) / spent
        left = spent / at * (self.horizon - at)
        self.report(
            "tower",
            at / self.horizon,
            f"epoch {at:.1f} of {self.horizon:.1f}, {how}, {rate:,.0f} events/s, {left:.0f} s left",
        )
