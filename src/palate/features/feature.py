"""What a feature is: a name, what it says, and how to read it off a moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from palate.arrays import Floats
from palate.features.moment import Moment

Subject: TypeAlias = Literal["user", "item", "cross"]
Value: TypeAlias = Callable[[Moment], Floats | float]


@dataclass(frozen=True, slots=True)
class Feature:
    """One number per candidate; one line in `features/definitions`."""

    subject: Subject
    name: str
    doc: str
    """What it says, and what it says where there is nothing to go by."""
    unit: str
    value: Value
    """One number (of the user) or one per candidate; never NaN."""
    log: bool = False
    """Heavy-tailed counts and times go in as log(1 + x)."""
