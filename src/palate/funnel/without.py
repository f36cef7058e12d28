"""A funnel without one of its parts, to see what the part did. Nothing of it is ever shown."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from palate.funnel.engine import Funnel
from palate.funnel.ladder import unlimited
from palate.funnel.stages import name_of

HOLDERS = ("constraints", "within")
"""Where rules hold operators' constraints."""


def without(funnel: Funnel, part: str) -> Funnel:
    """The funnel without the filter, rule or constraint of that name.

    Without a filter generators are told of no limits: that filter may have been one.
    """
    filtered = any(name_of(each) == part for each in funnel.filters)
    return replace(
        funnel,
        allowed=unlimited if filtered else funnel.allowed,
        filters=tuple(_others(funnel.filters, part)),
        lifts=tuple(_others(funnel.lifts, part)),
        rules=tuple(_loosened(each, part) for each in _others(funnel.rules, part)),
    )


def _others(parts: Iterable[Any], name: str) -> list[Any]:
    return [each for each in parts if name_of(each) != name]


def _loosened(rule: Any, name: str) -> Any:
    """The rule without that one of the constraints that it keeps."""
    for holder in HOLDERS:
        held = getattr(rule, holder, ())
        left = _others(held, name)
        if len(left) < len(held):
            rule = replace(rule, **{holder: tuple(left)})
    return rule
