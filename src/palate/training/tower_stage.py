"""The tower's part of a run: learn, be judged, and learn the rest."""

import copy
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from palate.catalog.columns import ItemColumns
from palate.releases.manifest import Verdict
from palate.settings import Settings, TrainingSettings
from palate.training.checkpoint import Checkpoints
from palate.training.dataset import Dataset, item_inputs
from palate.training.fold_in import background_of, fold_in
from palate.training.gate import judge_tower, refused
from palate.training.report import Report
from palate.training.sequences import Sequences
from palate.training.sizing import dense, half, sized
from palate.training.towers import ItemInputs, ItemTower
from palate.training.two_tower import Plan, Towers, averaged, fit, fresh_towers
from palate.training.validation import (
    CHOOSING,
    JUDGING,
    askers,
    counted_marks,
    held_out,
    mean,
    tower_marks,
)

VALIDATE = 0.95
"""Share of the events before the cut that the tower learns from; the rest says when to stop."""
REFIT_RATE, LONG = 0.4, 1.0
"""Of the learning rate, in the last round over everything; the whole of it where that round is as
long as the first."""
SEEDS_APART = 1_000
"""Between the seeds of towers that are averaged."""
FEWEST_ITEMS = 5
FEWEST_STEPS = 100


@dataclass(frozen=True, slots=True)
class TowerOutcome:
    """Towers that were judged; None where the gate refused them or there was too little."""

    towers: Towers | None
    verdict: Verdict
    lacking: str = "the two-tower foresees what comes next no better than popularity"
    """Where there are none: why, as part of a sentence."""


def learn_tower(
    data: Dataset,
    columns: ItemColumns,
    whole: Settings,
    cut: float,
    report: Report,
    checkpoints: Checkpoints | None = None,
) -> TowerOutcome:
    """Train on the events before the cut and compare with what only counts on the last of them."""
    settings = whole.training
    since, until = data.part(cut * VALIDATE), data.part(cut)
    counts = data.counts(since)
    sequences = Sequences.of(data.events)
    steps = sequences.steps(since)
    items = int((counts > 0).sum())
    if items < FEWEST_ITEMS or steps < FEWEST_STEPS:
        why = (
            f"a two-tower needs {FEWEST_STEPS} steps of people from one item to the next, over"
            f" {FEWEST_ITEMS} items, and there are {steps:,} over {items:,}"
        )
        return TowerOutcome(None, refused("two_tower", why), why)
    report("tower", 0.0, f"{steps:,} steps over {items:,} items")
    settings = sized(settings, sequences, since)
    masked = dense(sequences, since)
    plan = Plan(settings.epochs, settings.learning_rate, since, until, masked)
    inputs = item_inputs(columns, data.rows, counts)._replace(half=half(sequences, since))
    tried = []
    for number in range(settings.seeds):
        each = msgspec.structs.replace(settings, seed=settings.seed + SEEDS_APART * number)
        kept = checkpoints.of(f"tower{number or ''}") if checkpoints else None
        tried.append(fit(fresh_towers(inputs, each), sequences, each, plan, report, kept))
    towers = averaged(tried)
    late = held_out(sequences, settings.history, since, until, settings.horizon, CHOOSING)
    towers.metric = mean(tower_marks(towers.items, towers.users, late))
    asked = held_out(sequences, settings.history, since, until, settings.horizon, JUDGING)
    marks = tower_marks(towers.items, towers.users, asked)
    rivals = counted_marks(sequences, counts, since, whole.covisit, asked)
    users = askers(sequences, asked)
    verdict, towers.share = judge_tower(marks, rivals, users, settings.seed)
    return TowerOutcome(towers if verdict.shipped else None, verdict)


def refit_tower(
    towers: Towers,
    data: Dataset,
    columns: ItemColumns,
    settings: TrainingSettings,
    report: Report,
    checkpoints: Checkpoints | None = None,
) -> Towers:
    """Go on from the judged weights over the whole log: fewer epochs, gentler steps."""
    end, sequences = data.part(1.0), Sequences.of(data.events)
    inputs = item_inputs(columns, data.rows, data.counts(end))._replace(half=towers.items.half_open)
    rate = settings.learning_rate * (REFIT_RATE if settings.refit < LONG else 1.0)
    plan = Plan(0, rate, end, end, dense(sequences, end))
    settings = sized(settings, sequences, end)

    def refit(_: str, fraction: float, text: str) -> None:
        report("refit", fraction, text)

    members = []
    for number, each in enumerate(towers.members or (towers,)):
        kept = checkpoints.of(f"refit{number or ''}") if checkpoints else None
        epochs = max(1, round(each.epochs * settings.refit))
        report("refit", 0.0, f"{epochs} passes over the whole log")
        own = msgspec.structs.replace(settings, seed=settings.seed + SEEDS_APART * number + 1)
        again = _known(each, inputs, sequences, end)
        members.append(fit(again, sequences, own, plan._replace(epochs=epochs), refit, kept))
    fitted = averaged(members)
    fitted.metric, fitted.share = towers.metric, towers.share
    fitted.background = background_of((fitted.items, fitted.users), sequences, end)
    return fitted


def _known(towers: Towers, inputs: ItemInputs, sequences: Sequences, end: int) -> Towers:
    """The same towers over more of the log: items that are new to them are folded in."""
    items, users = ItemTower(inputs, towers.items.delta.shape[1]), copy.deepcopy(towers.users)
    items.load_state_dict(towers.items.state_dict())
    new = np.flatnonzero((towers.items.counts == 0) & (inputs.counts > 0))
    fold_in((items, users), sequences, new, end)
    return replace(towers, items=items, users=users)
