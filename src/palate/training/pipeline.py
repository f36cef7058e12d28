"""From the log to a release: tower, rows, ranker, gate, refit, publish."""

from collections.abc import Callable

from palate.funnel.stages import Generator
from palate.stores import Stores
from palate.training.report import Report, TrainingReport


def train(
    stores: Stores,
    generators_of: Callable[[Stores], tuple[Generator, ...]],
    progress: Report,
) -> TrainingReport:
    """Train and promote a release.

    Raises Conflict where another training of this site runs.
    """
    raise NotImplementedError
