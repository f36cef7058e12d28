"""Numbers of a surface, changed by dotted name: ``"at_most.cap" = 2``, ``"pool" = 300``."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, get_type_hints

import msgspec

from palate.errors import BadInput, Problem
from palate.funnel.engine import Funnel
from palate.funnel.stages import name_of
from palate.settings_loop import Count, Positive
from palate.settings_wrong import sentence

OWN = {"pool": Positive, "shortlist": Positive, "reserve": Count}
CLOSE = 0.8
"""How like a name is to the one that was meant."""
SIMPLE = {int: Count, float: float, bool: bool, str: str}
"""What may be changed, and as what it is read: whole numbers count something."""


def overridden(funnel: Funnel, surface: str, changes: Mapping[str, Any]) -> Funnel:
    """The funnel with other numbers.

    Raises BadInput that names the key, and the keys there are, where one does not fit.
    """
    for key, value in changes.items():
        part, _, name = key.rpartition(".")
        funnel = _changed(funnel, part, name, _Where(surface, key, value, numbers(funnel)))
    return funnel


def certain(funnel: Funnel) -> Funnel:
    """The funnel with exploration off: the same page whatever the draw (evaluation, `why`)."""
    explores = "explore.epsilon" in numbers(funnel)
    return overridden(funnel, "certain", {"explore.epsilon": 0.0} if explores else {})


def numbers(funnel: Funnel) -> dict[str, Any]:
    """Everything that can be changed, by dotted name, with its value now."""
    found = {name: getattr(funnel, name) for name in OWN}
    for component in parts(funnel):
        for name in _simple(component):
            found[f"{name_of(component)}.{name}"] = getattr(component, name)
    return found


def parts(funnel: Funnel) -> list[Any]:
    """All components, stage by stage."""
    return [*funnel.generators, *funnel.filters, funnel.ranker, *funnel.rules]


def _simple(component: Any) -> dict[str, Any]:
    if not is_dataclass(component):
        return {}
    hints = get_type_hints(type(component))
    numbers = [f.name for f in fields(component) if hints[f.name] in SIMPLE and f.name != "id"]
    return {name: SIMPLE[hints[name]] for name in numbers}


class _Where:
    """The override being laid on, for its error message."""

    def __init__(self, surface: str, key: str, value: Any, known: Mapping[str, Any]) -> None:
        self.surface, self.key, self.value, self.known = surface, key, value, known

    def converted(self, to: Any) -> Any:
        try:
            value = msgspec.convert(self.value, to, strict=False)
        except msgspec.ValidationError as error:
            raise self.wrong(f"{self.key}: {sentence(str(error))}") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise self.wrong(f"{self.key}: a finite number is wanted")
        return value

    def unknown(self) -> BadInput:
        near = get_close_matches(self.key, self.known, 1, CLOSE)
        hint = f"did you mean {near[0]!r}? There" if near else "there"
        return self.wrong(f"there is no {self.key!r}; {hint} are {', '.join(sorted(self.known))}")

    def wrong(self, problem: str) -> BadInput:
        pointer = f"/surfaces/{self.surface}/{self.key}"
        return BadInput(f"[surfaces.{self.surface}] {problem}", [Problem(pointer, problem)])


def _changed(funnel: Funnel, part: str, name: str, where: _Where) -> Funnel:
    if where.key not in where.known:
        raise where.unknown()
    if not part:
        return replace(funnel, **{name: where.converted(OWN[name])})

    def new(component: Any) -> Any:
        if name_of(component) != part:
            return component
        return replace(component, **{name: where.converted(_simple(component)[name])})

    return replace(
        funnel,
        generators=tuple(map(new, funnel.generators)),
        filters=tuple(map(new, funnel.filters)),
        ranker=new(funnel.ranker),
        rules=tuple(map(new, funnel.rules)),
    )
