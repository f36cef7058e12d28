"""Are operators' rules and request filters obeyed? Random combinations against an oracle.

    python bench/lawful.py --cases 1000000 [--minutes 30] [--seed 1] [--json]

On a small site, through what a request goes through over HTTP but for the wire (the visitor, the
request's filter, the catalogue's policy, the rules' program, the funnel or a broken one): nothing
forbidden is shown, nothing raises, a page is full whenever enough may be shown, pins stand, limits
and minimums hold or are said to have given way. A case is one request under one set of rules.
`--minutes` ends the run early; what is reported is what was run. Exits with 1 on any problem.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any, Self

import numpy as np
from lawbook.cases import Case, Law, Wish, case
from lawbook.oracle import Oracle, Page, page_problems, row_problems, tail_problems
from lawbook.world import NOW, settled, world
from load.ran import ran
from msgspec.structs import replace as changed

from palate.arrays import Floats
from palate.cli.output import console, facts, table_of
from palate.clock import FixedClock
from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Candidates, Pool, Query, Reason, Slate
from palate.rules.decode import rules as decoded
from palate.serving.bodies import Ask
from palate.serving.composing import Composing
from palate.serving.cursor import TAIL
from palate.serving.recommend import Recommending
from palate.serving.runtime import Runtime, running
from palate.stores import Stores, close
from palate.surfaces.steered.program import Program

ITEMS, PEOPLE, WISHES = 1_200, 40, 8
COLLECTED = 50_000
"""New objects after which the youngest are looked through."""
FULL = frozenset({"home"})
"""Surfaces that fill up with anything that may be shown."""


@dataclass(frozen=True)
class Broken:
    """A generator, or a ranker, that raises."""

    reads: tuple[str, ...] = ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    async def generate(self, query: Query, limit: int) -> Candidates:
        raise ConnectionError("broken on purpose")

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("popular")

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        raise ValueError("broken on purpose")


@dataclass
class Tally:
    """What was tried, and what was wrong."""

    cases: int = 0
    items: int = 0
    """Shown, altogether."""
    steps: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """Rules that acted."""
    pages: int = 0
    """Whole pages of rows."""
    full: int = 0
    """Pages that had to be full."""
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def note(self, what: str, told: str) -> None:
        """One problem."""
        self.wrong[what] += 1
        if self.wrong[what] <= 3:  # noqa: PLR2004
            self.examples.append(f"{what}: {told}")


def main(arguments: Sequence[str]) -> int:
    """Run, print, and say by the exit code whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    started = perf_counter()
    tally = judged(wanted.cases, wanted.seed, wanted.minutes)
    told: dict[str, Any] = {
        **ran("lawful", arguments),
        "asked_for": wanted.cases,
        "cases": tally.cases,
        "whole_pages": tally.pages,
        "items_shown": tally.items,
        "pages_that_had_to_be_full": tally.full,
        "steps": dict(tally.steps.most_common()),
        "rules_that_acted": dict(tally.kinds.most_common()),
        "problems": dict(tally.wrong),
        "examples": tally.examples,
        "seconds": round(perf_counter() - started, 1),
        "cpu_seconds": round(process_time(), 1),
    }
    rows = [(name, str(value)) for name, value in told.items()]
    facts(told, as_json=wanted.json, table=table_of("lawful", ("", "found"), rows))
    return 1 if tally.wrong else 0


def judged(cases: int, seed: int, minutes: float = 0.0) -> Tally:
    """Build the site and try so many cases, or as many as the minutes allow."""
    made = world(ITEMS, PEOPLE, seed)
    with tempfile.TemporaryDirectory() as folder:
        stores = settled(Path(folder), made, seed)
        try:
            return asyncio.run(_judged(stores, Oracle(made), cases, (seed, minutes)))
        finally:
            close(stores)


async def _judged(stores: Stores, oracle: Oracle, cases: int, limits: tuple[int, float]) -> Tally:
    tally, (seed, minutes) = Tally(), limits
    gc.freeze()  # what is there stays: looking through it again and again took a tenth of the time
    gc.set_threshold(COLLECTED, 50, 100)
    ends = perf_counter() + minutes * 60 if minutes else np.inf
    async with running(stores.settings, FixedClock(NOW), stores) as runtime:
        n = 0
        while tally.cases < cases and perf_counter() < ends:
            dice = Random(seed * 1_000_003 + n)  # noqa: S311
            await _tried(runtime, oracle, case(oracle.world, dice, WISHES), tally)
            n += 1
            if not n % 500:
                console.print(f"{tally.cases:,} cases, problems: {dict(tally.wrong)}")
    return tally


async def _tried(runtime: Runtime, oracle: Oracle, one: Case, tally: Tally) -> None:
    try:
        documents = decoded([law.document for law in one.laws])
        program = Program.checked({f"/{n}": r for n, r in enumerate(documents)}, runtime.stores)
    except Exception:  # noqa: BLE001  that is what is looked for
        tally.note("the rules raise", _told(one.laws, None, traceback.format_exc()))
        return
    if one.page is not None:
        tally.cases += 1
        try:
            await _composed(runtime, oracle, program, (one.laws, one.page), tally)
        except Exception:  # noqa: BLE001
            tally.note("a page raises", _told(one.laws, one.page, traceback.format_exc()))
    for wish in one.wishes:
        tally.cases += 1
        laws = oracle.acting(one.laws, wish)
        try:
            await _asked(runtime, oracle, program, (one.laws, laws, wish), tally)
        except Exception:  # noqa: BLE001
            tally.note("a request raises", _told(laws, wish, traceback.format_exc()))


async def _composed(
    runtime: Runtime, oracle: Oracle, program: Program, under: tuple[list[Law], Wish], tally: Tally
) -> None:
    """A whole page: every row keeps to its own rules, and nothing stands on it twice.

    What a pin holds for another row of the page is not there for this one.
    """
    laws, wish = under
    runtime.rules._program = program  # noqa: SLF001  as if an operator had just written it
    async with runtime.pacer.turn("page home", 0.0) as turn:
        rows = await Composing(runtime, changed(_ask(wish), surface="home")).rows(turn)
        told = [await row.asking.told(row.found) for row in rows]
    await runtime.settle()
    tally.pages += 1
    above: set[int] = set()
    for row, body in zip(rows, told, strict=True):
        shown = [int(entry.item_id[1:]) for entry in body.items]
        asked = replace(wish, surface=body.surface, seed=int((body.anchor or "i-1")[1:]))
        tally.items += len(shown)
        tally.steps[body.step] += 1
        acting = oracle.acting(laws, asked)
        eligible = oracle.eligible(acting, asked)
        found = list(row_problems(eligible, asked, shown, above))
        if body.step == "full":
            elsewhere = {
                int(each) for other in rows if other is not row for each in other.slate.rows
            }
            held = elsewhere if _placing(acting) else above
            first = Page(shown, row.slate.relaxed, _lot(row.slate))
            found += page_problems(oracle, acting, asked, first, eligible - held)
        for problem in found:
            text = f"page, row {body.surface}: {problem}; {shown}"
            tally.note(f"page, {problem.partition(' ')[0].rstrip(':')}", _told(acting, asked, text))
        above.update(shown)


def _placing(laws: Sequence[Law]) -> bool:
    return any(law.document["kind"] in {"pin", "promote"} for law in laws)


def _lot(slate: Slate) -> bool:
    """Whether something on it was drawn by lot."""
    return slate.explore is not None and bool(slate.explore.any())


async def _asked(
    runtime: Runtime,
    oracle: Oracle,
    program: Program,
    under: tuple[list[Law], list[Law], Wish],
    tally: Tally,
) -> None:
    """One wish, page after page."""
    _, laws, wish = under
    asking = Recommending(runtime, _ask(wish), "r", NOW)
    query = await asking.query(runtime.visitors.find(_ask(wish)), wish.draw)
    funnel = _hurt(program.steer(runtime.live.funnels[wish.surface], query), wish.fault)
    tally.kinds.update(law.document["kind"] for law in laws)
    before: list[int] = []
    for page in range(wish.pages):
        answer = await funnel.answer(query)
        rows = answer.slate.rows.tolist()
        tally.items += len(rows)
        tally.steps[answer.step] += 1
        eligible = oracle.eligible(laws, wish)
        for problem in _problems(eligible, wish, answer, tally):
            tally.note(problem.partition(":")[0], _told(laws, wish, f"page {page + 1}: {problem}"))
        if not page and answer.step == "full":
            runtime.live.kept.note(query, answer)
            first = Page(rows, answer.slate.relaxed, _lot(answer.slate))
            for problem in page_problems(oracle, laws, wish, first, eligible):
                tally.note(problem.partition(" ")[0], _told(laws, wish, f"{problem}; {rows}"))
        if page and answer.step == "full":
            for problem in tail_problems(oracle, laws, wish, (before, rows), answer.slate.relaxed):
                tally.note("over pages", _told(laws, wish, f"{problem}; {before}, {rows}"))
        before += rows
        wish = replace(wish, exclude=tuple(sorted({*wish.exclude, *rows})))
        query = replace(
            query,
            excluded=np.array(wish.exclude, np.int32),
            given=query.given + len(rows),
            tail=np.concatenate([query.tail, answer.slate.rows])[-TAIL:],
        )


def _problems(eligible: set[int], wish: Wish, answer: Answer, tally: Tally) -> list[str]:
    rows, found = answer.slate.rows.tolist(), []
    forbidden = [row for row in rows if row not in eligible]
    if forbidden:
        found.append(f"forbidden: i{forbidden[0]} and {len(forbidden) - 1} more")
    if len(set(rows)) < len(rows):
        found.append("repeated: an item twice")
    if wish.surface in FULL and answer.step in {"full", "retrieval"} and wish.fault != "both":
        tally.full += 1
        if len(rows) < min(wish.limit, len(eligible)):
            found.append(f"short: {len(rows)} of {wish.limit}, {len(eligible)} may be shown")
    return found


def _ask(wish: Wish) -> Ask:
    return Ask(
        surface=wish.surface,
        user_id=wish.user,
        limit=wish.limit,
        region=wish.region,
        age=wish.age,
        item_id=f"i{wish.seed}" if wish.seed >= 0 else "",
        exclude=tuple(f"i{n}" for n in wish.exclude),
        context={"device": wish.device} if wish.device else {},
        filter=wish.filter.text if wish.filter else "",
    )


def _hurt(funnel: Funnel, fault: str) -> Funnel:
    """The funnel with parts that raise."""
    if fault in {"ranker", "both"}:
        funnel = replace(funnel, ranker=Broken())
    if fault == "generators":
        kept = [each for each in funnel.generators if getattr(each, "explores", False)]
        funnel = replace(funnel, generators=(*(Broken() for _ in range(3)), *kept))
    if fault == "both":
        funnel = replace(funnel, generators=(Broken(),))
    return funnel


def _told(laws: Sequence[Law], wish: Wish | None, what: str) -> str:
    rules = [law.document for law in laws]
    said = replace(wish, filter=None) if wish else None
    asked = wish.filter.text if wish and wish.filter else ""
    return f"{what} | rules {rules} | {said} filter={asked!r}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
