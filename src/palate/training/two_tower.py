"""Trains the two-tower: predict what comes next at every step, against the whole catalogue."""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter, thread_time
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from palate.models.fold_in import Background
from palate.settings import TrainingSettings
from palate.training.checkpoint import Checkpoint
from palate.training.report import Report
from palate.training.sequences import (
    Sequences,
    Steps,
    Window,
    batch_of,
    batches,
    cut_windows,
)
from palate.training.softmax import Softmax
from palate.training.towers import (
    AveragedUsers,
    ItemInputs,
    ItemTower,
    Users,
    UserTower,
    encode,
    side_by_side,
)
from palate.training.validation import CHOOSING, held_out, mean, tower_marks

AVERAGING = 0.998
"""The served weights are a moving average of the trained ones, …"""
EVERY = 4
"""… which takes them in once in so many steps."""
WARM_UP = 100
"""Steps until the learning rate is full; fewer where there are few."""
LAST_RATE = 0.03
"""The learning rate ends at this share of its height."""
SILENCE = 2.0
"""Seconds after which a long pass says how far it is."""
KEPT_EVERY, KEPT_SHARE = 20.0, 0.05
"""Seconds after which a long pass keeps a checkpoint; of large towers, so that keeping them takes
this share of the time."""
PATIENCE = 5
"""Passes without a better validation after which training ends."""


@dataclass(slots=True)
class Towers:
    """Both towers, and how their training went."""

    items: ItemTower
    users: Users
    epochs: int = 0
    """Passes of the best validation."""
    metric: float = 0.0
    """Its NDCG@10, see `validation`."""
    curve: tuple[float, ...] = ()
    """The metric after each pass."""
    share: float = 1.0
    """Of the candidates that are asked of it, so many it may propose."""
    background: Background | None = None
    """What items that come later are folded in with."""
    members: tuple["Towers", ...] = ()
    """Those of which it is the mean; none where it was learnt as it is."""


class Plan(NamedTuple):
    """How long, how hard, and what is held out."""

    epochs: int
    learning_rate: float
    until: int
    """Events from this log position on are not learnt from …"""
    validate: int
    """… and those below this position validate; equal to `until` for no validation."""
    masked: bool = True
    """What was seen is no negative, see `Softmax.loss`."""


def fresh_towers(inputs: ItemInputs, settings: TrainingSettings) -> Towers:
    """Untrained towers: the same seed gives the same ones."""
    torch.manual_seed(settings.seed)
    dropout = 0.0 if settings.dropout == "auto" else settings.dropout
    users = UserTower(settings.dim, settings.history, settings.blocks, dropout)
    return Towers(ItemTower(inputs, settings.dim), users)


def averaged(members: Sequence[Towers]) -> Towers:
    """Towers learnt apart as one, whose products are the means of theirs: they err apart, too."""
    if len(members) == 1:
        return members[0]
    items = side_by_side([each.items for each in members])
    users = AveragedUsers([cast("UserTower", each.users) for each in members])
    return Towers(items, users, max(each.epochs for each in members), members=tuple(members))


def fit(
    towers: Towers,
    sequences: Sequences,
    settings: TrainingSettings,
    plan: Plan,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> Towers:
    """Train `towers` further, and return the average of their weights that validated best.

    Deterministic with the seed as long as the time limit, in seconds of this thread, does not bind.
    With a `checkpoint` it goes on from where an earlier run was ended, to the same towers.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    run = _Fit(towers, sequences, settings, plan, report)
    if checkpoint is not None:
        run.resume(checkpoint)
    return run.run()


@dataclass(slots=True)
class _Place:
    """Where a training is."""

    epoch: int = 0
    done: int = 0
    """Batches of the current pass."""
    step: int = 0
    curve: list[float] = field(default_factory=list)
    loss: float = 0.0
    """Sum over the current pass' batches."""
    spent: float = 0.0
    """Seconds of this thread, earlier runs included."""

    over: bool = False
    """The time limit is reached."""


KEPT = ("live", "mean", "best")
"""Of the weights: as trained, their moving average, and the average that validated best."""


class _Fit:
    def __init__(
        self,
        towers: Towers,
        sequences: Sequences,
        settings: TrainingSettings,
        plan: Plan,
        report: Report,
    ) -> None:
        towers.items.train()  # whoever exported or judged them has turned dropout off
        towers.users.train()
        self.live, self.mean, self.best = towers, copy.deepcopy(towers), copy.deepcopy(towers)
        self.sequences, self.settings, self.plan, self.report = sequences, settings, plan, report
        self.dice = np.random.Generator(np.random.PCG64(settings.seed))
        self.dealt = self.dice.bit_generator.state
        self.parameters, self.averages = _weights(self.live), _weights(self.mean)
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=plan.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.softmax = Softmax(towers.items.counts, self.dice, masked=plan.masked)
        self.late = held_out(
            sequences, settings.history, plan.until, plan.validate, settings.horizon, CHOOSING
        )
        self.place = _Place()
        self.sought: torch.Tensor | None = None
        self.checkpoint: Checkpoint | None = None
        self.said = self.kept = perf_counter()
        self.wait = KEPT_EVERY

    def resume(self, checkpoint: Checkpoint) -> None:
        """Keep checkpoints there, and take up the one that is there."""
        self.checkpoint = checkpoint
        if (state := checkpoint.read()) is None:
            return
        for towers, name in zip((self.live, self.mean, self.best), KEPT, strict=True):
            towers.items.load_state_dict(state[name]["items"])
            towers.users.load_state_dict(state[name]["users"])
        self.best.epochs, self.best.metric = state["best_epochs"], state["best_metric"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.place = _Place(**state["place"])
        self.dealt, self.dice.bit_generator.state = state["dealt"], state["dice"]
        self._seek(state["sought"])
        torch.set_rng_state(state["torch"])

    def _keep(self) -> None:
        if self.checkpoint is None:
            return
        begun = perf_counter()
        towers = dict(zip(KEPT, (self.live, self.mean, self.best), strict=True))
        state = {
            name: {"items": each.items.state_dict(), "users": each.users.state_dict()}
            for name, each in towers.items()
        }
        place = {"place": asdict(self.place), "dealt": self.dealt, "torch": torch.get_rng_state()}
        best = {"best_epochs": self.best.epochs, "best_metric": self.best.metric}
        sought = {"sought": self.sought}
        dice = {"dice": self.dice.bit_generator.state, "optimiser": self.optimiser.state_dict()}
        self.checkpoint.write(state | place | best | dice | sought)
        self.kept = perf_counter()
        self.wait = max(KEPT_EVERY, (self.kept - begun) / KEPT_SHARE)

    def run(self) -> Towers:
        place = self.place
        while place.epoch < self.plan.epochs and not place.over and not self._stale():
            loss = self._epoch()
            place.epoch, place.done, place.loss = place.epoch + 1, 0, 0.0
            marks = tower_marks(self.mean.items, self.mean.users, self.late)
            place.curve.append(mean(marks))
            if place.curve[-1] >= max(place.curve):
                self.best = copy.deepcopy(self.mean)
                self.best.epochs, self.best.metric = place.epoch, place.curve[-1]
            self._say(place.epoch, f"loss {loss:.3f}")
            with torch.no_grad():
                self._seek(self.mean.items.eval()())
                self.mean.items.train()
            self._keep()
        self.best.curve = tuple(place.curve)
        return self.best

    def _seek(self, table: torch.Tensor | None) -> None:
        """Find hard negatives among the item vectors of the pass before, where there is one."""
        self.sought = None
        if table is not None and self.softmax.seek_in(table):
            self.sought = table

    def _stale(self) -> bool:
        curve = self.place.curve
        return bool(self.late) and len(curve) - int(np.argmax(curve or [0.0])) > PATIENCE

    def _epoch(self) -> float:
        """One pass, or what is left of it; its mean loss."""
        cuts, aims = self._deal()
        place, since, before = self.place, thread_time(), self.place.spent
        for cut in cuts[place.done :]:
            at = place.epoch + place.done / len(cuts)
            self._pace(at / self.plan.epochs, self.plan.epochs * len(cuts))
            steps = batch_of(self.sequences, cut, aims, self.settings.history)
            place.loss += self._update(steps)
            place.done += 1
            place.spent = before + thread_time() - since
            if place.spent > self.settings.tower_seconds > 0:
                place.over = True
                break
            now = perf_counter()
            if now - self.said > SILENCE:
                self._say(at, f"loss {place.loss / place.done:.3f}")
            if now - self.kept > self.wait:
                self._keep()
        return place.loss / max(place.done, 1)

    def _deal(self) -> tuple[list[list[Window]], NDArray[np.int64]]:
        """The pass' batches and aims; the same ones where the pass had begun before."""
        now = self.dice.bit_generator.state
        self.dealt = self.dice.bit_generator.state = self.dealt if self.place.done else now
        settings, until = self.settings, self.plan.until
        windows = cut_windows(self.sequences, settings.history, until, self.dice)
        cuts = list(batches(windows, settings.batch_size, self.dice))
        if settings.horizon > 1:
            aims = self.sequences.any_of_next(settings.horizon, until, self.dice)
        else:
            aims = self.sequences.next_ones(0, until)
        if self.place.done:
            self.dice.bit_generator.state = now
        return cuts, aims

    def _pace(self, progress: float, steps: int) -> None:
        rate = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        warm = min(1.0, (self.place.step + 1) / min(WARM_UP, 1 + steps // 10))
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.learning_rate * warm * (LAST_RATE + (1 - LAST_RATE) * rate)

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
        self.place.step += 1
        if self.place.step % EVERY == 0:
            keep = min(AVERAGING, self.place.step / (self.place.step + 30)) ** EVERY
            with torch.no_grad():
                torch._foreach_lerp_(self.averages, self.parameters, 1 - keep)
        return float(loss.detach())

    def _say(self, at: float, how: str) -> None:
        self.said = perf_counter()
        metric = f", held-out NDCG@10 {self.place.curve[-1]:.4f}" if self._judged() else ""
        spent = max(self.place.spent, 1e-9)
        rate = at * len(self.sequences.items) / spent
        left = spent / max(at, 1e-9) * (self.plan.epochs - at)
        self.report(
            "tower",
            at / self.plan.epochs,
            f"pass {at:.1f} of {self.plan.epochs}, {how}{metric}, {rate:,.0f} events/s,"
            f" {left:.0f} s left",
        )

    def _judged(self) -> bool:
        return bool(self.late) and bool(self.place.curve)


def _weights(towers: Towers) -> list[torch.Tensor]:
    return [*towers.items.parameters(), *towers.users.parameters()]
