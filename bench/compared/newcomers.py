"""How well items are found that nobody had taken before: what counting cannot know."""

from collections.abc import Sequence

import numpy as np

from palate.arrays import Rows
from palate.evaluation.slates import World

FEW = 4
"""Takers in the training events up to which an item counts as a newcomer."""
DEEP = 50


def newcomers(lists: Sequence[Rows], relevant: Sequence[Rows], world: World) -> dict[str, float]:
    """Recall@50 of the newcomers that users took later, and the share of them in anyone's list.

    The whole catalogue competes with them: `newcomers_by_chance` is what an order by lot reaches.
    Empty where nobody took one.
    """
    new = world.takers <= FEW
    wanted = [rows[new[rows]] for rows in relevant]
    asked = [at for at, rows in enumerate(wanted) if len(rows)]
    if not asked:
        return {}
    found = [np.isin(wanted[at], lists[at][:DEEP]).mean() for at in asked]
    shown = np.unique(np.concatenate([rows[:DEEP] for rows in lists]))
    return {
        f"newcomers_recall@{DEEP}": float(np.mean(found)),
        f"newcomers_coverage@{DEEP}": float(new[shown].sum() / new.sum()),
        "newcomers_by_chance": min(DEEP / world.candidates, 1.0),
        "newcomers_users": float(len(asked)),
        "newcomers": float(new.sum()),
    }
