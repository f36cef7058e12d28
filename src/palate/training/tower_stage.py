"""The tower's part of a run: learn, be judged, and learn the rest."""

import copy
from dataclasses import dataclass, replace

import msgspec

from palate.catalog.columns import ItemColumns
from palate.releases.manifest import Verdict
from palate.settings import TrainingSettings
from palate.training.dataset import Dataset, item_inputs
from palate.training.gate import judge_tower, refused
from palate.training.report import Report
from palate.training.sequences import Sequences, held_out
from palate.training.towers import ItemTower
from palate.training.two_tower import Plan, Towers, fit, fresh_towers
from palate.training.validation import ndcg, next_item_ranks, popularity_ranks

VALIDATE = 0.95
"""Share of the events before the cut that the tower learns from; the rest says when to stop."""
REFIT_EPOCHS, REFIT_RATE = 0.2, 0.4
"""The last round over everything: share of the epochs, and of the learning rate."""
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
    data: Dataset, columns: ItemColumns, settings: TrainingSettings, cut: float, report: Report
) -> TowerOutcome:
    """Train on the events before the cut and compare with popularity on the last of them."""
    since, until = data.part(cut * VALIDATE), data.part(cut)
    counts = data.counts(since)
    sequences = Sequences.of(data.events)
    steps = int((sequences.wanted & (sequences.positions < since)).sum())
    items = int((counts > 0).sum())
    if items < FEWEST_ITEMS or steps < FEWEST_STEPS:
        why = (
            f"a two-tower needs {FEWEST_STEPS} steps of people from one item to the next, over"
            f" {FEWEST_ITEMS} items, and there are {steps:,} over {items:,}"
        )
        return TowerOutcome(None, refused("two_tower", why), why)
    report("tower", 0.0, f"{steps:,} steps over {items:,} items")
    plan = Plan(settings.epochs, settings.learning_rate, since, until)
    towers = fresh_towers(item_inputs(columns, data.rows, counts), settings)
    towers = fit(towers, sequences, settings, plan, report)
    late = held_out(sequences, settings.history, since, until)
    ranks = next_item_ranks(towers.items, towers.users, late)
    verdict = judge_tower(ndcg(ranks), ndcg(popularity_ranks(counts, late)), len(ranks))
    return TowerOutcome(towers if verdict.shipped else None, verdict)


def refit_tower(
    towers: Towers, data: Dataset, columns: ItemColumns, settings: TrainingSettings, report: Report
) -> Towers:
    """Go on from the judged weights over the whole log: fewer epochs, gentler steps."""
    inputs = item_inputs(columns, data.rows, data.counts(data.part(1.0)))
    items = ItemTower(inputs, settings.dim)
    items.load_state_dict(towers.items.state_dict())
    again = replace(towers, items=items, users=copy.deepcopy(towers.users))
    epochs = max(1, round(towers.epochs * REFIT_EPOCHS))
    end = data.part(1.0)
    plan = Plan(epochs, settings.learning_rate * REFIT_RATE, end, end)
    settings = msgspec.structs.replace(settings, seed=settings.seed + 1)
    sequences = Sequences.of(data.events)

    def refit(_: str, fraction: float, text: str) -> None:
        report("refit", fraction, text.replace(", next item NDCG@10 0.0000", ""))

    report("refit", 0.0, f"{epochs} epochs over the whole log")
    fitted = fit(again, sequences, settings, plan, refit)
    fitted.metric = towers.metric
    return fitted
