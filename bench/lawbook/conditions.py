"""Random conditions, each as the text that the engine reads and as loops that the oracle runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from lawbook.world import COUNTRIES, DAY, GENRES, KINDS, LANGUAGES, MOODS, NOW, PLANS, WORDS

Json: TypeAlias = dict[str, Any]
Holds: TypeAlias = Callable[[Json, Mapping[str, Any]], bool]
"""(item, the visitor's values by name) -> whether it holds."""

COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
NUMBERS = ("year", "price", "min_age", "serial")
TEXTS: dict[str, tuple[str, ...]] = {
    "mood": MOODS[:-1],
    "kind": KINDS,
    "creator_id": tuple(f"maker-{n}" for n in range(40)),
}
LISTS: dict[str, tuple[str, ...]] = {
    "categories": GENRES,
    "tags": tuple(WORDS),
    "spoken": LANGUAGES,
}
FIXED = ("min_age", "kind", "creator_id", "categories", "tags", "published_at")


@dataclass(frozen=True)
class Said:
    """One condition."""

    text: str
    holds: Holds
    personal: bool = False
    """Whether it asks for the visitor."""
    word: str = ""
    """`and`, `or` or `not`, where it is made of others."""
    parts: "tuple[Said, ...]" = ()
    asks: str = ""
    """What of the visitor it asks for, where it is one part."""


def may_hold(said: Said, item: Json, who: Mapping[str, Any], *, holds: bool = True) -> bool:
    """Whether it holds, or might were more known of the visitor: what hides acts then too."""
    if said.word == "not":
        return not may_hold(said.parts[0], item, who, holds=not holds)
    if said.word:
        join = all if said.word == "and" else any
        return join(may_hold(each, item, who, holds=holds) for each in said.parts)
    if said.asks and who.get(said.asks) is None:
        return holds
    return said.holds(item, who)


def value_of(item: Json, name: str) -> Any:
    """A field's value; None where it is missing."""
    value = item.get(name) if name in FIXED else item["attributes"].get(name)
    return None if value in ("", []) else value


def condition(dice: Random, *, personal: bool = False, deep: int = 2) -> Said:
    """Any condition on items; with `personal` the visitor may be asked for too."""
    roll = dice.random()
    if deep and roll < 0.35:  # noqa: PLR2004
        word = dice.choice(["and", "or"])
        parts = [condition(dice, personal=personal, deep=deep - 1) for _ in range(2)]
        return joined(word, parts)
    if deep and roll < 0.45:  # noqa: PLR2004
        return denied(condition(dice, personal=personal, deep=deep - 1))
    makers = [_number, _between, _text, _text_among, _listed, _listed_among, _flag, _has, _time]
    if personal:
        makers += [_visitors_text, _visitors_number]
    return dice.choice(makers)(dice)


def narrow(dice: Random, size: int) -> Said:
    """A condition that a few items pass: down to a thousandth of the catalogue."""
    some = sorted(dice.sample(range(size), max(1, round(size * dice.choice([0.001, 0.005, 0.02])))))
    held = frozenset(some)
    return Said(f"serial in {some}", lambda item, _: item["attributes"]["serial"] in held)


def joined(word: str, parts: list[Said]) -> Said:
    """All of them, or any."""
    join = all if word == "and" else any
    held = tuple(each.holds for each in parts)
    text = f" {word} ".join(f"({each.text})" for each in parts)
    personal = any(each.personal for each in parts)
    said = tuple(parts)
    return Said(text, lambda item, who: join(e(item, who) for e in held), personal, word, said)


def denied(inner: Said) -> Said:
    """Where it does not hold."""
    holds = inner.holds
    return Said(
        f"not ({inner.text})",
        lambda item, who: not holds(item, who),
        inner.personal,
        "not",
        (inner,),
    )


def _number(dice: Random) -> Said:
    name, sign = dice.choice(NUMBERS), dice.choice(list(COMPARED))
    given = _some_number(name, dice)
    return Said(f"{name} {sign} {given}", _comparing(name, sign, given))


def _between(dice: Random) -> Said:
    name = dice.choice(NUMBERS)
    low, high = sorted([_some_number(name, dice), _some_number(name, dice)])

    def holds(item: Json, _: Mapping[str, Any]) -> bool:
        value = value_of(item, name)
        return value is not None and low <= value < high

    return Said(f"{low} <= {name} < {high}", holds)


def _some_number(name: str, dice: Random) -> float:
    ranges = {"year": (1960, 2026), "price": (0, 50), "min_age": (0, 18), "serial": (0, 1200)}
    return dice.randint(*ranges[name])


def _comparing(name: str, sign: str, given: Any) -> Holds:
    compared = COMPARED[sign]

    def holds(item: Json, _: Mapping[str, Any]) -> bool:
        value = value_of(item, name)
        return value is not None and compared(value, given)

    return holds


def _text(dice: Random) -> Said:
    name, sign = dice.choice(list(TEXTS)), dice.choice(["==", "!="])
    given = dice.choice((*TEXTS[name], "unheard of"))
    return Said(f'{name} {sign} "{given}"', _comparing(name, sign, given))


def _text_among(dice: Random) -> Said:
    name = dice.choice(list(TEXTS))
    some = dice.sample(TEXTS[name], min(len(TEXTS[name]), dice.randint(1, 3)))
    listed = ", ".join(f'"{each}"' for each in some)
    return Said(f"{name} in [{listed}]", lambda item, _: value_of(item, name) in some)


def _listed(dice: Random) -> Said:
    name = dice.choice(list(LISTS))
    given = dice.choice(LISTS[name])
    return Said(f'"{given}" in {name}', lambda item, _: given in (value_of(item, name) or ()))


def _listed_among(dice: Random) -> Said:
    name = dice.choice(list(LISTS))
    some = dice.sample(LISTS[name], 2)
    listed = ", ".join(f'"{each}"' for each in some)
    held = set(some)
    return Said(
        f"{name} in [{listed}]",
        lambda item, _: not held.isdisjoint(value_of(item, name) or ()),
    )


def _flag(dice: Random) -> Said:  # noqa: ARG001
    return Said("hot", lambda item, _: value_of(item, "hot") is True)


def _has(dice: Random) -> Said:
    name = dice.choice(["year", "hot", "mood", "spoken", "categories", "creator_id", "tags"])
    return Said(f"has({name})", lambda item, _: value_of(item, name) is not None)


def _time(dice: Random) -> Said:
    days, sign = dice.randint(1, 600), dice.choice([">", "<", ">=", "<="])
    limit = NOW // 60 * 60 - days * DAY
    holds = _comparing("published_at", sign, limit)
    return Said(f"published_at {sign} now - days({days})", holds)


def _visitors_text(dice: Random) -> Said:
    name, given = dice.choice(
        [
            ("user.country", dice.choice(COUNTRIES)),
            ("user.plan", dice.choice(PLANS)),
            ("context.device", dice.choice(["phone", "tv"])),
        ]
    )
    sign = dice.choice(["==", "!="])

    def holds(_: Json, who: Mapping[str, Any]) -> bool:
        value = who.get(name)
        return value is not None and COMPARED[sign](value, given)

    return Said(f'{name} {sign} "{given}"', holds, personal=True, asks=name)


def _visitors_number(dice: Random) -> Said:  # noqa: ARG001
    def holds(item: Json, who: Mapping[str, Any]) -> bool:
        age = who.get("user.age")
        return age is not None and age >= item["min_age"]

    return Said("user.age >= min_age", holds, personal=True, asks="user.age")
