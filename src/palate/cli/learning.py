"""What the extra `train` brings, loaded when there is something to learn.

It takes seconds and hundreds of megabytes, and a trainer may wait for days.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from palate.clock import Clock
from palate.errors import MissingExtra
from palate.funnel.stages import Generator
from palate.stores import Stores
from palate.training.report import Report, TrainingReport

BROUGHT = ("torch", "sklearn", "scipy", "onnx", "lightgbm")
"""The packages that learn."""


class Train(Protocol):
    """`training.pipeline.train`."""

    def __call__(
        self,
        stores: Stores,
        generators_of: Callable[[Stores], tuple[Generator, ...]],
        progress: Report,
        clock: Clock | None = None,
    ) -> TrainingReport: ...


def check(instead: str = "") -> None:
    """Raise MissingExtra where something of the extra is not installed; imports nothing.

    `instead` says what could be done without.
    """
    for name in BROUGHT:
        if find_spec(name) is None:
            raise MissingExtra(f"training needs {name}: pip install 'palate[train]'{instead}")


def trainer() -> Train:
    """Load what learns."""
    return cast("Train", import_module("palate.training.pipeline").train)
