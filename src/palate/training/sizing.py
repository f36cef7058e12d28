"""How long and how the towers learn, by the size and the shape of what there is to learn from."""

import math

import numpy as np
from msgspec.structs import replace

from palate.settings import TrainingSettings
from palate.training.sequences import Sequences

PASSES, SPARSE_PASSES = 2_000.0, 10_000.0
"""Over the square root of the steps of a pass: 8 passes over 65,000 steps, 2 over 700,000; where
histories are short many more (28 over 131,000), until what is known of an item is learnt."""
FEWEST, MOST = 1, 30
FEW_MOMENTS, MANY_MOMENTS, PEOPLE = 1_300, 4_000, 5
"""Moments that the ranker learns from and is judged by: one of so many people, within bounds. Where
many have done little, 1,300 cannot tell what is better (Beauty: `docs/quality.md`)."""
CUTS, LABELLED = (0.7, 0.9), 3.0
"""How much of the engagements towers know before the ranker's moments begin, at least and at most:
what comes after is as much as the moments' labels reach, times so many."""
SHORT = 10.0
"""Histories are short where they have fewer steps than this in the mean."""
SPARSE_DROPOUT, DENSE_DROPOUT = 0.5, 0.2
SPARSE_HALF, DENSE_HALF = 1.0, 10.0
"""Engagements after which an item's own part counts for half beside its content. Where histories
are short, rare items are what is taken; where they are long, rare items' own parts are noise."""


def sized(settings: TrainingSettings, sequences: Sequences, until: int) -> TrainingSettings:
    """Fill in what the settings leave to the data: passes and dropout. Data alone decides."""
    steps = sequences.steps(until)
    long = dense(sequences, until)
    dropout = DENSE_DROPOUT if long else SPARSE_DROPOUT
    return replace(
        settings,
        epochs=settings.epochs or passes(steps, PASSES if long else SPARSE_PASSES),
        dropout=dropout if settings.dropout == "auto" else settings.dropout,
    )


def passes(steps: int, over: float = PASSES) -> int:
    """How often to go over so many steps."""
    return int(np.clip(round(over / math.sqrt(max(steps, 1))), FEWEST, MOST))


def moments(settings: TrainingSettings, people: int) -> int:
    """How many moments of the history of so many people become training rows."""
    return settings.ranker_queries or int(np.clip(people // PEOPLE, FEW_MOMENTS, MANY_MOMENTS))


def cut(settings: TrainingSettings, people: int, engaged: int) -> float:
    """Share of the engagements before the ranker's moments.

    As late as leaves room for these: the ranker learns what towers are worth by towers that know so
    much, and is served with ones that know everything.
    """
    room = LABELLED * settings.horizon * moments(settings, people) / max(engaged, 1)
    return float(np.clip(1.0 - room, *CUTS))


def half(sequences: Sequences, until: int) -> float:
    """Engagements after which half of what is special of an item counts."""
    return DENSE_HALF if dense(sequences, until) else SPARSE_HALF


def dense(sequences: Sequences, until: int) -> bool:
    """Whether people have long histories: only then seen items are worth masking."""
    lengths = sequences.below(until)
    return bool(lengths.sum() >= SHORT * max(int((lengths > 0).sum()), 1))
