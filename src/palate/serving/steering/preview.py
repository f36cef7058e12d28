"""What rules would change, tried on real requests: before and after, and which rule did what."""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter

import msgspec
from msgspec.structs import asdict

from palate.errors import BadInput, NotFound, Problem
from palate.funnel.budget import Plan
from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Query
from palate.rules import decode
from palate.rules.documents import Rule
from palate.serving.bodies import Ask
from palate.serving.names import Named
from palate.serving.reasons import reason_body
from palate.serving.recommend import query_of
from palate.serving.routes.asking import SEEDED, check
from palate.serving.runtime import Runtime
from palate.serving.steering.bodies import (
    Left,
    PreviewBody,
    PreviewDocument,
    Previewed,
    PreviewedSlate,
    Sample,
)
from palate.serving.wording.wordings import Wording
from palate.surfaces.overrides import certain
from palate.surfaces.steered.program import Program, together
from palate.surfaces.steered.unmatched import unmatched

MOST = 20
"""Requests that one preview tries."""
LIFTS, BLOCKS = ("lift:",), ("block:", "restrict:")


async def preview(runtime: Runtime, document: PreviewDocument) -> PreviewBody:
    """Try the drafts. Raises BadInput that points at the field, Unavailable where others do."""
    with runtime.aside.place():
        return await _previewed(runtime, document)


async def _previewed(runtime: Runtime, document: PreviewDocument) -> PreviewBody:
    rules = _drafted(runtime, document)
    stores = runtime.stores
    after, remarks = await runtime.aside.run(_program, runtime, rules)
    asks = [_ask(each) for each in document.requests]
    asks = asks or await _newest(runtime, document.sample)
    if len(asks) > MOST:
        what = f"{len(asks)} requests; at most {MOST} are tried at once"
        raise BadInput(what, [Problem("/requests", what)])
    slates = []
    plan = Plan(ends=perf_counter() + runtime.settings.serving.why_ms / 1e3)
    for n, ask in enumerate(asks):
        check(ask, runtime.settings.serving.max_limit, f"/requests/{n}/")
        try:
            query = await query_of(runtime, ask)
        except (BadInput, NotFound):
            if document.requests:
                raise
            continue  # it was right once: an item or an attribute that it names is gone
        funnel = runtime.live.funnels[ask.surface]
        before = runtime.rules.program
        was = await runtime.aside.run(_answer, before, funnel, query, plan)
        now = await runtime.aside.run(_answer, after, funnel, query, plan)
        acting = tuple(after.made[i].rule.id for i in after.acting(query, stores))
        slates.append(await _compared(runtime, ask, acting, was, now))
    return PreviewBody(slates=tuple(slates), remarks=remarks)


def _drafted(runtime: Runtime, document: PreviewDocument) -> tuple[Rule, ...]:
    """The book with the drafts in it."""
    drafts = {each.id: each for each in decode.rules(list(document.rules))}
    standing = together(runtime.rules.from_file, runtime.rules.book.read().rules)
    known = {each.id for each in standing}
    unknown = [n for n, each in enumerate(document.remove) if each not in known]
    if unknown:
        n = unknown[0]
        what = f"there is no rule {document.remove[n]!r}"
        raise BadInput(what, [Problem(f"/remove/{n}", what)])
    kept = tuple(drafts.pop(e.id, e) for e in standing if e.id not in document.remove)
    return (*kept, *drafts.values())


def _program(runtime: Runtime, rules: Sequence[Rule]) -> tuple[Program, tuple[str, ...]]:
    """The rules ready to act, and what there is to say of the drafts among them."""
    standing = together(runtime.rules.from_file, runtime.rules.book.read().rules)
    new = {f"/rules/{n}": each for n, each in enumerate(rules) if each not in standing}
    drafts = Program.checked(new, runtime.stores)
    doubts = [line for each in drafts.made for line in unmatched(each, runtime.stores)]
    acting = Program.standing(rules, runtime.stores, runtime.rules.placements.spent)
    return acting, (*doubts, *drafts.remarks())


async def _newest(runtime: Runtime, most: int) -> list[Ask]:
    """The newest requests of which enough is known to ask them again."""
    await runtime.traces.settle()
    found = await runtime.aside.run(runtime.store.newest, min(most, MOST))
    asks = [each.ask or _ask(_sample(each.surface, each.visitor)) for each in found]
    most_items = runtime.settings.serving.max_limit
    return [
        msgspec.structs.replace(each, limit=min(each.limit, most_items))
        for each in asks
        if each.surface in runtime.live.funnels and (each.surface not in SEEDED or each.item_id)
    ]


def _sample(surface: str, visitor: str) -> Sample:
    kind, _, name = visitor.partition(":")
    user, session = (name, "") if kind == "user" else ("", name)
    return Sample(surface=surface, user_id=user, session_id=session)


def _ask(sample: Sample) -> Ask:
    return Ask(**asdict(sample))


def _answer(program: Program, funnel: Funnel, query: Query, plan: Plan) -> Answer:
    """Off the event loop: visitors do not wait for an operator's questions."""
    return asyncio.run(certain(program.steer(funnel, query)).answer(query, plan))


async def _compared(
    runtime: Runtime, ask: Ask, acting: tuple[str, ...], was: Answer, now: Answer
) -> PreviewedSlate:
    before, after = was.slate.rows.tolist(), now.slate.rows.tolist()
    about = {row for reason in now.reasons for row in reason.rows}
    names = await runtime.names.of({*before, *after, *about})
    did = _deeds(now)
    return PreviewedSlate(
        surface=ask.surface,
        visitor=ask.user_id or ask.session_id,
        acting=acting,
        before=tuple(names[row].item_id for row in before),
        after=_entries(before, now, names, did, runtime.wordings.of()),
        gone=tuple(
            Left(item_id=names[r].item_id, title=names[r].title, was=at, rules=did.get(r, ()))
            for at, r in enumerate(before, 1)
            if r not in after
        ),
        relaxed=dict(now.trace.relaxed),
        removed={
            name: len(rows) for name, rows in now.trace.removed.items() if name.startswith(BLOCKS)
        },
    )


def _entries(
    before: list[int],
    now: Answer,
    names: Mapping[int, Named],
    did: Mapping[int, tuple[str, ...]],
    words: Wording,
) -> tuple[Previewed, ...]:
    return tuple(
        Previewed(
            item_id=names[row].item_id,
            title=names[row].title,
            position=at,
            was=before.index(row) + 1 if row in before else None,
            reason=reason_body(reason, names, own=row, words=words),
            rules=did.get(row, ()),
        )
        for at, (row, reason) in enumerate(
            zip(now.slate.rows.tolist(), now.reasons, strict=True), 1
        )
    )


def _deeds(answer: Answer) -> dict[int, tuple[str, ...]]:
    """By row: what the rules did to it."""
    told = {row: list(notes) for row, notes in answer.trace.notes.items()}
    for name, (before, after) in answer.trace.orders.items():
        if not name.startswith(LIFTS):
            continue
        old = {row: at for at, row in enumerate(before.tolist(), 1)}
        for at, row in enumerate(after.tolist(), 1):
            if old[row] != at:
                told.setdefault(row, []).append(f"{name} moved it from {old[row]} to {at}")
    for name, rows in answer.trace.removed.items():
        if name.startswith(BLOCKS):
            for row in rows.tolist():
                told.setdefault(row, []).append(f"{name} took it out")
    return {row: tuple(notes) for row, notes in told.items()}
