"""Random rules and requests: each as documents for the engine, with its meaning for the oracle."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeAlias

from lawbook.conditions import Said, condition, denied, narrow
from lawbook.world import COUNTRIES, DAY, NOW, PLANS, World

Json: TypeAlias = dict[str, Any]
SURFACES = ("home", "home", "home", "home", "trending", "new_for_you", "more_like_this")
FAULTS = ("", "", "", "", "", "", "", "ranker", "generators", "both")
"""What is broken on purpose."""


COMPOSED = 0.25
"""Share of sets of rules under which a whole page is asked for."""


@dataclass(frozen=True)
class Law:
    """One rule: the document, and what its conditions mean."""

    document: Json
    where: Said | None = None
    audience: Said | None = None


@dataclass(frozen=True)
class Wish:
    """One request."""

    surface: str
    user: str = ""
    limit: int = 20
    region: str = ""
    age: int | None = None
    seed: int = -1
    exclude: tuple[int, ...] = ()
    device: str = ""
    filter: Said | None = None
    draw: int = 0
    fault: str = ""
    pages: int = 1


@dataclass
class Case:
    """A set of laws and what is asked under it."""

    laws: list[Law]
    wishes: list[Wish] = field(default_factory=list)
    page: Wish | None = None
    """A whole page that is asked for too."""


def case(there: World, dice: Random, wishes: int) -> Case:
    """None to six laws, and so many wishes."""
    laws = [_law(n, there, dice) for n in range(dice.choice([0, 1, 1, 2, 2, 3, 4, 6]))]
    asked = [_wish(there, dice) for _ in range(wishes)]
    return Case(laws, asked, _page(asked[0], dice) if dice.random() < COMPOSED else None)


def _page(wish: Wish, dice: Random) -> Wish:
    """The same of a whole page: it is about no item, and takes no context."""
    limit = dice.choice([1, 5, 10])
    return replace(wish, surface="home", limit=limit, seed=-1, exclude=(), device="", fault="")


def _wish(there: World, dice: Random) -> Wish:
    size, asked = len(there.items), None
    roll = dice.random()
    if roll < 0.2:  # noqa: PLR2004
        asked = narrow(dice, size)
    elif roll < 0.55:  # noqa: PLR2004
        asked = condition(dice, personal=dice.random() < 0.3)  # noqa: PLR2004
    surface = dice.choice(SURFACES)
    return Wish(
        surface=surface,
        user=dice.choice([*there.users, "", "somebody new"]),
        limit=dice.choice([1, 2, 5, 10, 20, 40]),
        region=dice.choice(["", "", *COUNTRIES, "XX"]),
        age=dice.choice([None, None, 5, 12, 17, 18, 60]),
        seed=dice.randrange(size) if surface == "more_like_this" else -1,
        exclude=tuple(sorted(dice.sample(range(size), dice.choice([0, 0, 0, 3, 50])))),
        device=dice.choice(["", "phone", "tv"]),
        filter=asked,
        draw=dice.getrandbits(62),
        fault=dice.choice(FAULTS),
        pages=dice.choice([1, 1, 1, 3]),
    )


def _law(n: int, there: World, dice: Random) -> Law:
    kind = dice.choice([_block, _block, _blocked_items, _restrict, _seen, _pin, _promote, _lift])
    if dice.random() < 0.35:  # noqa: PLR2004
        kind = dice.choice([_at_most, _at_most, _at_least, _numbers])
    document, where = kind(there, dice)
    document = {"id": f"law-{n}", **document, **_scope(dice)}
    audience = _audience(dice) if dice.random() < 0.2 else None  # noqa: PLR2004
    if audience:
        document["audience"] = audience.text
    return Law(document, where, audience)


def _scope(dice: Random) -> Json:
    """On which surfaces, between which dates."""
    told: Json = {}
    if dice.random() < 0.2:  # noqa: PLR2004
        told["surfaces"] = dice.sample(["home", "trending", "more_like_this"], 2)
    if dice.random() < 0.15:  # noqa: PLR2004
        told["starts"] = _moment(NOW + dice.choice([-3, -1, 1]) * DAY)
    if dice.random() < 0.15:  # noqa: PLR2004
        told["ends"] = _moment(NOW + dice.choice([-1, 2, 3]) * DAY)
    if "starts" in told and "ends" in told and told["ends"] <= told["starts"]:
        del told["ends"]
    return told


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _audience(dice: Random) -> Said:
    plan, country = dice.choice(PLANS), dice.choice(COUNTRIES)
    return dice.choice(
        [
            _is("user.plan", plan),
            denied(_is("user.country", country)),
            _is("context.device", "phone"),
            Said(
                "user.age >= 30",
                lambda _, who: who.get("user.age") is not None and who["user.age"] >= 30,  # noqa: PLR2004
                asks="user.age",
            ),
        ]
    )


def _is(name: str, given: str) -> Said:
    return Said(f'{name} == "{given}"', lambda _, who: who.get(name) == given, asks=name)


def _block(there: World, dice: Random) -> tuple[Json, Said]:
    """Some of the catalogue; now and then nearly all of it."""
    if dice.random() < 0.25:  # noqa: PLR2004
        few = narrow(dice, len(there.items))
        all_but = denied(few)
        return {"kind": "block", "where": all_but.text}, all_but
    where = condition(dice, personal=dice.random() < 0.2)  # noqa: PLR2004
    return {"kind": "block", "where": where.text}, where


def _blocked_items(there: World, dice: Random) -> tuple[Json, None]:
    some = dice.sample(range(len(there.items)), dice.choice([1, 20, 300]))
    return {"kind": "block", "items": [f"i{n}" for n in some]}, None


def _restrict(_: World, dice: Random) -> tuple[Json, Said]:
    where = condition(dice)
    told: Json = {"kind": "restrict", "where": where.text}
    if dice.random() < 0.6:  # noqa: PLR2004
        told["regions"] = dice.sample(COUNTRIES, 2)
    if "regions" not in told or dice.random() < 0.5:  # noqa: PLR2004
        told["min_age"] = dice.choice([12, 18])
    return told, where


def _seen(_: World, dice: Random) -> tuple[Json, None]:
    policy = dice.choice(["hide", "hide_days", "show"])
    days = {"days": dice.choice([1, 7, 30])} if policy == "hide_days" else {}
    return {"kind": "seen", "policy": policy, **days}, None


def _pin(there: World, dice: Random) -> tuple[Json, None]:
    some = dice.sample(range(len(there.items)), dice.choice([1, 2, 4]))
    slots = sorted(dice.sample(range(1, 13), dice.randint(1, 3)))
    sponsored = {"sponsored": True} if dice.random() < 0.3 else {}  # noqa: PLR2004
    return {"kind": "pin", "items": [f"i{n}" for n in some], "slots": slots, **sponsored}, None


def _promote(_: World, dice: Random) -> tuple[Json, Said]:
    where = condition(dice, personal=dice.random() < 0.2)  # noqa: PLR2004
    slots = sorted(dice.sample(range(1, 13), dice.randint(1, 3)))
    return {"kind": "promote", "where": where.text, "slots": slots}, where


def _lift(_: World, dice: Random) -> tuple[Json, Said]:
    where = condition(dice, personal=dice.random() < 0.2)  # noqa: PLR2004
    return {"kind": dice.choice(["boost", "bury"]), "where": where.text, "by": 0.7}, where


def _at_most(_: World, dice: Random) -> tuple[Json, Said | None]:
    window = dice.choice([0, 3, 5, 10])
    told: Json = {"kind": "at_most", "cap": dice.choice([0, 1, 2]), "window": window}
    if dice.random() < 0.5:  # noqa: PLR2004
        return told | {"of": dice.choice(["creator", "categories"])}, None
    where = condition(dice)
    return told | {"where": where.text}, where


def _at_least(_: World, dice: Random) -> tuple[Json, Said]:
    where = condition(dice)
    much: Json = dice.choice([{"share": 0.3}, {"share": 0.6}, {"count": 2}])
    return {"kind": "at_least", "where": where.text, **much}, where


def _numbers(_: World, dice: Random) -> tuple[Json, None]:
    return dice.choice(
        [
            {"kind": "diversity", "strength": 0.5},
            {"kind": "freshness", "lift": 1.0, "half_life_days": 30},
        ]
    ), None
