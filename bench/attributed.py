"""Does attribution find what caused what? Against people of whom every cause is known.

    python bench/attributed.py [--users 400] [--days 28] [--seeds 3] [--json]

People of the simulator visit for some weeks; their pages, clicks, views and likes are logged as
they happen. Some buy what they liked hours or days later, after they were shown more pages, and
some take items in that no page led them to. Which page an act followed from is known here, and in
the log only for clients that send the `recommendation_id`: these are one half of the comparison,
clients that send none the other. Then the join runs over the log, and each (page, item, kind of
act) that it found is held against the truth. An act later than the window of its kind has no cause.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from load.ran import ran
from msgspec.structs import replace as changed

from palate.arrays import Rows
from palate.cli.output import facts, table_of
from palate.clock import FixedClock
from palate.evaluation.simulator.people import MODELS, Chances, Person, UserModel, read
from palate.evaluation.simulator.world import Act, Size, World, free
from palate.events.kinds import Event, Kind, Shown
from palate.settings import Settings
from palate.settings_loop import AttributionSettings
from palate.stores import open_sources
from palate.stores_offline import attributor, open_offline

START, DAY, HOUR = 1_700_000_000.0, 86_400.0, 3_600.0
PAGES, PLACES = 4, 10
"""Pages of a visit, places of a page."""
POPULAR, AGAIN = 30, 3
"""So many items are everybody's, and so many places of a page are theirs."""
CONVERTS, ORGANIC = 0.3, 0.15
"""Share of what was watched well that is bought later; acts of nobody's making, by visit."""
WELL = 0.5
WINDOW = AttributionSettings().hours["purchase"] * HOUR
KINDS = ("click", "view", "like", "purchase")


class Cause(NamedTuple):
    """One act with its cause."""

    page: str
    item: str
    kind: str


@dataclass(slots=True)
class Told:
    """What happened: what the log is told, and what it is not."""

    events: list[Event] = field(default_factory=list)
    causes: set[Cause] = field(default_factory=set)


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    rows = [
        {"names": names, "model": model, "seed": seed, **judged(seed, model, wanted, names=names)}
        for names in (True, False)
        for model in MODELS
        for seed in range(1, wanted.seeds + 1)
    ]
    told = {
        **ran("attributed", arguments),
        "runs": rows,
        "means": {str(names): _means(rows, names=names) for names in (True, False)},
    }
    head = ("names", "model", "seed", *(f"{kind} {what}" for kind in KINDS for what in "pr"))
    lines = [[row[name] for name in head[:3]] + [*_short(row)] for row in rows]
    facts(told, as_json=wanted.json, table=table_of("attribution", head, lines))
    return 0


def judged(seed: int, model: str, wanted: argparse.Namespace, *, names: bool) -> dict[str, Any]:
    """Precision and recall by kind of act, and how many causes there were."""
    world = free(seed, Size(400, wanted.users, arrivals=0, newcomers=20, past=10))
    told = history(world, MODELS[model], seed, wanted.days, names=names)
    with tempfile.TemporaryDirectory() as folder:
        found = attributed(Settings(home=Path(folder)), told.events)
    out: dict[str, Any] = {"pages": sum(e.kind is Kind.IMPRESSION for e in told.events)}
    for kind in KINDS:
        true = {each for each in told.causes if each.kind == kind}
        said = {each for each in found if each.kind == kind}
        both = len(true & said)
        out |= {f"{kind}_causes": len(true), f"{kind}_found": len(said)}
        out |= {f"{kind}_precision": both / max(len(said), 1), f"{kind}_recall": both / len(true)}
    return out


def history(world: World, model: UserModel, seed: int, days: int, *, names: bool) -> Told:
    """Everybody's visits, one a day now and then; with `names` acts say which page they follow."""
    told = Told()
    for user in range(len(world.users)):
        dice = np.random.Generator(np.random.PCG64([seed, 9, user]))
        person = Person(user, world.tastes[user], world.tastes[user])
        for day in np.flatnonzero(dice.random(days) < 0.4).tolist():  # noqa: PLR2004
            began = START + day * DAY + float(dice.uniform(0.0, DAY / 2))
            _visit(world, model, person, began, (dice, names, told))
    told.events.sort(key=lambda each: each.time)
    return told


def _visit(
    world: World,
    model: UserModel,
    person: Person,
    began: float,
    at_hand: tuple[np.random.Generator, bool, Told],
) -> None:
    dice, names, told = at_hand
    person.arrive(person.taste)
    now, who = began, world.users[person.user]
    for number in range(PAGES):
        page = f"{who}-{began:.0f}-{number}"
        rows = _page(world, person, dice)
        told.events.append(_shown(world, who, page, rows, now))
        chances = Chances(dice.random(len(rows)), dice.random(len(rows)), dice)
        for _, act in read(person, model, world, rows, chances):
            for event, cause in _follows(world, act, page, now, dice):
                told.events.append(_named(event, page) if names and cause else event)
                told.causes |= {cause} if cause else set()
        now += float(dice.uniform(40.0, 400.0))
    if dice.random() < ORGANIC:
        item = world.items[int(dice.integers(world.there))]
        told.events.append(_act(who, item, "view", now + float(dice.uniform(0.0, 6 * HOUR)), 0.9))


def _page(world: World, person: Person, dice: np.random.Generator) -> Rows:
    """Ten of what they may like; some that all may, whether or not they have had them already."""
    rows = np.arange(world.there, dtype=np.int32)
    everybodys = dice.permutation(np.argsort(-world.appeal[: world.there])[:POPULAR])[:AGAIN]
    new = [row not in person.done and row not in everybodys for row in rows.tolist()]
    logits = world.logits(person.taste, rows) + dice.gumbel(size=len(rows))
    own = rows[new][np.argsort(-logits[new])[: PLACES - AGAIN]]
    return np.concatenate([own, everybodys]).astype(np.int32)


def _follows(
    world: World, act: Act, page: str, now: float, dice: np.random.Generator
) -> Iterator[tuple[Event, Cause | None]]:
    """The act some seconds or minutes later, and what it leads to after hours or days."""
    who, item = world.users[act.user], world.items[act.item]
    waits = {"click": (2.0, 30.0), "view": (60.0, 7_000.0), "like": (60.0, 7_000.0)}
    after = float(dice.uniform(*waits.get(act.kind, (5.0, 60.0))))
    yield _act(who, item, act.kind, now + after, act.value), Cause(page, item, act.kind)
    if act.kind == "view" and (act.value or 0.0) > WELL and dice.random() < CONVERTS:
        later = float(dice.exponential(2 * DAY))
        told = Cause(page, item, "purchase") if after + later < WINDOW else None
        yield _act(who, item, "purchase", now + after + later, 5.0), told


def _shown(world: World, who: str, page: str, rows: Rows, now: float) -> Event:
    shown = [Shown(item_id=world.items[row], position=at) for at, row in enumerate(rows, 1)]
    return Event(
        event_id=page,
        kind=Kind.IMPRESSION,
        time=now,
        user_id=who,
        surface="home",
        recommendation_id=page,
        items=tuple(shown),
    )


def _act(who: str, item: str, kind: str, time: float, value: float | None) -> Event:
    name = f"{who}-{item}-{kind}-{time:.3f}"
    told = Kind[kind.upper()]
    return Event(event_id=name, kind=told, time=time, user_id=who, item_id=item, value=value)


def _named(event: Event, page: str) -> Event:
    return changed(event, recommendation_id=page)


def attributed(settings: Settings, events: Sequence[Event]) -> set[Cause]:
    """What the join makes of a log."""
    ends = events[-1].time + 30 * DAY
    with open_sources(settings) as sources:
        for _, several in groupby(events, key=lambda each: each.time // HOUR):
            batch = list(several)
            sources.log.append(batch, batch[-1].time)
        joins = attributor(sources, FixedClock(ends))
        joins.step()
        joins.waiting.close()
    store = open_offline(settings)
    parts = store.held().of("shown")
    columns = [f"{kind}_after" for kind in KINDS]
    rows = store.scan(parts).select("recommendation_id", "item_id", *columns).collect()
    found = set()
    for kind in KINDS:
        taken = rows.filter(pl.col(f"{kind}_after").is_not_null())
        found |= {Cause(page, item, kind) for page, item, *_ in taken.iter_rows()}
    return found


def _means(rows: Sequence[dict[str, Any]], *, names: bool) -> dict[str, float]:
    these = [row for row in rows if row["names"] is names]
    total: Counter[str] = Counter()
    for row in these:
        total.update({name: row[name] for name in row if name.endswith(("precision", "recall"))})
    return {name: round(value / len(these), 4) for name, value in total.items()}


def _short(row: dict[str, Any]) -> Iterator[str]:
    for kind in KINDS:
        yield f"{row[f'{kind}_precision']:.3f}"
        yield f"{row[f'{kind}_recall']:.3f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
