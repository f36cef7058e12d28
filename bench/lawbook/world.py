"""A small site whose every fact is also known as a plain dictionary, for an oracle to go by."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from palate.catalog import decode
from palate.clock import FixedClock
from palate.events.decode import events as decoded_events
from palate.intake.profiles import store_users
from palate.settings import Settings
from palate.stores import Stores, open_stores, stream_worker
from palate.template import template

Json: TypeAlias = dict[str, Any]

NOW = 1_700_000_000.0
DAY = 86_400.0
GENRES = tuple(f"genre-{n}" for n in range(12))
CATEGORIES = (0, 1, 1, 1, 1, 2, 2, 3, 3, 12)
"""How many an item is in; twelve are more than its row has codes for."""
MOODS = ("calm", "dark", "funny", "odd", "")
LANGUAGES = ("de", "en", "fr", "ja")
KINDS = ("film", "series", "short")
COUNTRIES = ("DE", "US", "FR", "BR")
PLANS = ("free", "plus", "pro")
AGES = (0, 0, 0, 6, 12, 16, 18)
WORDS = [
    "night",
    "river",
    "dance",
    "robot",
    "letter",
    "summer",
    "ghost",
    "train",
    "island",
    "secret",
    "hero",
    "dog",
]
TAKING = ("view", "like", "dislike", "save", "share", "purchase", "rating", "skip", "hide")
"""Kinds that count as having had the item; `click` does not."""
NEGATIVE, POSITIVE = ("dislike", "skip", "hide"), ("like", "save", "share", "purchase")
VIEWED, POOR = 0.7, 2
"""A view from which on it is a good word, and a rating up to which it is a bad one."""


@dataclass
class World:
    """What there is, item n being called i<n>."""

    items: list[Json] = field(default_factory=list)
    """As they were sent; times in seconds."""
    users: dict[str, Json] = field(default_factory=dict)
    taken: dict[str, dict[int, float]] = field(default_factory=dict)
    """By user: item -> when it was taken last."""
    refused: dict[str, set[int]] = field(default_factory=dict)
    """By user: what they turned down, and have not taken back."""


def world(size: int, people: int, seed: int) -> World:
    """Items, users and histories by lot."""
    dice = Random(seed)  # noqa: S311  nothing here is secret
    made = World([_item(n, dice) for n in range(size)])
    for n in range(people):
        name = f"u{n}"
        made.users[name] = _user(name, dice)
        made.taken[name], made.refused[name] = {}, set()
    return made


def histories(made: World, dice: Random) -> list[Json]:
    """What the users did, in order of time; what it means is noted in `made`."""
    events = []
    for name in made.users:
        for _ in range(dice.choice([0, 3, 20, 90])):
            item, kind = dice.randrange(len(made.items)), dice.choice((*TAKING, "click"))
            time, value = NOW - dice.uniform(0.01, 40.0) * DAY, None
            if kind == "rating":
                value = float(dice.randint(1, 5))
            if kind == "view":
                value = round(dice.random(), 2)
            events.append((time, name, item, kind, value))
    for time, name, item, kind, value in sorted(events):
        _note(made, (name, item), time, kind, value)
    return [_event(n, *each) for n, each in enumerate(sorted(events))]


def _note(made: World, who: tuple[str, int], time: float, kind: str, value: float | None) -> None:
    """What it means for later pages."""
    name, item = who
    if kind in TAKING:
        made.taken[name][item] = time
    word = _word(kind, value)
    if word < 0:
        made.refused[name].add(item)
    elif word > 0:
        made.refused[name].discard(item)


def _word(kind: str, value: float | None) -> int:
    """Below 0 where it turns the item down, above where it takes that back."""
    if kind == "rating":
        return -1 if (value or 0.0) <= POOR else 1
    if kind == "view":
        return int((value or 0.0) >= VIEWED)
    return (kind in POSITIVE) - (kind in NEGATIVE)


def settled(home: Path, made: World, seed: int) -> Stores:
    """The world as a site on disk, folded by the real worker."""
    (home / "palate.toml").write_text(template(), "utf-8")
    settings = Settings(home=home)
    stores = open_stores(settings, writer=True)
    stores.items.rows([f"i{n}" for n in range(len(made.items))], create=True)
    stores.items.put(decode.items([_sent(each) for each in made.items]))
    users = decode.users(list(made.users.values()))
    store_users(users, stores.users, stores.log, settings.features, received=NOW)
    clock = FixedClock(NOW)
    told = histories(made, Random(seed))  # noqa: S311
    found, problems = decoded_events(told, NOW, clock)
    if problems:
        raise ValueError(problems[0])
    stores.log.append(found, NOW)
    stream_worker(stores, clock).drain()
    return stores


def _item(n: int, dice: Random) -> Json:
    rare = dice.random()
    attributes: Json = {"serial": n, "price": round(dice.uniform(0, 50), 2)}
    if dice.random() > 0.1:  # noqa: PLR2004
        attributes["year"] = dice.randint(1960, 2026)
    if dice.random() > 0.3:  # noqa: PLR2004
        attributes["hot"] = dice.random() < 0.2  # noqa: PLR2004
    if mood := dice.choice(MOODS):
        attributes["mood"] = mood
    if languages := dice.sample(LANGUAGES, dice.randint(0, 3)):
        attributes["spoken"] = languages
    item: Json = {
        "item_id": f"i{n}",
        "kind": dice.choice(KINDS),
        "title": " ".join(dice.sample(WORDS, 3)).title(),
        "text": " ".join(dice.sample(WORDS, 5)),
        "categories": dice.sample(GENRES, dice.choice(CATEGORIES)),
        "creator_id": f"maker-{dice.randrange(40)}" if dice.random() > 0.05 else "",  # noqa: PLR2004
        "tags": _tags(dice),
        "published_at": NOW - dice.uniform(-20, 900) * DAY,
        "min_age": dice.choice(AGES),
        "regions": dice.sample(COUNTRIES, 2) if dice.random() < 0.15 else [],  # noqa: PLR2004
        "hidden": rare < 0.03,  # noqa: PLR2004
        "attributes": attributes,
    }
    if 0.03 < rare < 0.1:  # noqa: PLR2004
        item["expires_at"] = NOW + dice.uniform(-20, 20) * DAY
    return item


def _tags(dice: Random) -> list[str]:
    """A few; now and then more than a row of codes holds, those that are asked for among them."""
    if dice.random() < 0.1:  # noqa: PLR2004
        many = [f"tag-{n}" for n in range(20)] + dice.sample(WORDS, 3)
        return dice.sample(many, len(many))
    return dice.sample(WORDS, dice.choice([0, 1, 2]))


def _user(name: str, dice: Random) -> Json:
    user: Json = {"user_id": name, "attributes": {}}
    if dice.random() > 0.2:  # noqa: PLR2004
        user["country"] = dice.choice(COUNTRIES)
    if dice.random() > 0.2:  # noqa: PLR2004
        user["birth_year"] = dice.randint(1950, 2018)
    if dice.random() > 0.3:  # noqa: PLR2004
        user["attributes"]["plan"] = dice.choice(PLANS)
    return user


def _event(n: int, time: float, name: str, item: int, kind: str, value: float | None) -> Json:
    told: Json = {
        "event_id": f"e{n}",
        "kind": kind,
        "user_id": name,
        "item_id": f"i{item}",
        "time": _moment(time),
    }
    return told if value is None else told | {"value": value}


def _sent(item: Json) -> Json:
    """The document that the API takes: no empty fields, times in RFC 3339."""
    told = {name: value for name, value in item.items() if value not in ("", [])}
    times = {name: _moment(told[name]) for name in ("published_at", "expires_at") if name in told}
    return told | times


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
