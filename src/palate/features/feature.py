"""What a feature is: a name, what it says, and the one formula it is read by.

Every feature is the same small formula over *sources* (`features.sources`), numbers that the
compiled kernel knows of the user or of a candidate:

    (part · times + plus) / (whole · per + over)      then, where told, log(1 + x) or log2(x)

So a line in `features/definitions` is all there is to a feature, and its meaning is written down
as a few constants whose hash a release can hold it to.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import log1p, log2
from typing import Literal, TypeAlias

from palate.features.folds import ITEM_FOLDS, USER_FOLDS
from palate.features.sources import Source, source_of

Subject: TypeAlias = Literal["user", "item", "cross"]


@dataclass(frozen=True, slots=True)
class Value:
    """The formula; see the module."""

    part: str
    """Name of a source."""
    times: float = 1.0
    plus: float = 0.0
    whole: str = ""
    """Name of a source; none divides by `over` alone."""
    per: float = 1.0
    over: float = 1.0
    doublings: bool = False
    """The result is a ratio and goes in as log2(x)."""


def told(source: str, times: float = 1.0) -> Value:
    """The source as it is, in another unit where `times` says so."""
    return Value(source, times)


def rate(part: str, whole: str, prior: float, weight: float) -> Value:
    """Smooth a rate: (part + weight · prior) / (whole + weight)."""
    return Value(part, 1.0, weight * prior, whole, 1.0, weight)


def against(part: str, times: float, whole: str, per: float) -> Value:
    """How one count compares with another, in doublings: log2((part · times + 1) / (… + 1))."""
    return Value(part, times, 1.0, whole, per, 1.0, doublings=True)


@dataclass(frozen=True, slots=True)
class Feature:
    """One number per candidate; one line in `features/definitions`."""

    subject: Subject
    name: str
    doc: str
    """What it says, and what it says where there is nothing to go by."""
    unit: str
    value: Value
    log: bool = False
    """Heavy-tailed counts and times go in as log(1 + x)."""
    retired: bool = False
    """Still computed for releases that learnt it, no longer offered to a new one."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it is read from."""
        names = (name for name in (self.value.part, self.value.whole) if name)
        return tuple(source_of(self.subject, name) for name in names)

    @property
    def meaning(self) -> str:
        """Eight letters that change with the formula, with a source or with the fold behind it."""
        folds = {fold.name: fold for fold in (USER_FOLDS if self.subject == "user" else ITEM_FOLDS)}
        behind = [folds.get(name) for name in (self.value.part, self.value.whole)]
        said = repr(
            (self.subject, self.name, self.unit, self.log, self.value, behind, self.sources)
        )
        return blake2b(said.encode(), digest_size=4).hexdigest()

    @property
    def nothing(self) -> float:
        """What it says where every source is 0."""
        value = self.value
        whole = value.plus / value.over if value.over else 0.0
        if value.doublings:
            return log2(whole)
        return log1p(max(whole, 0.0)) if self.log else whole
