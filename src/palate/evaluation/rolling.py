"""The same release as time goes on: asked at the beginning of each of several windows.

`frozen` knows what each visitor did until then, and of items what the training knew; `online` has
its counts, boards and co-visitation moved on as well, as a live site does. Nothing is trained anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from palate.arrays import Rows
from palate.catalog.fields import rfc3339
from palate.evaluation.as_of import Shelf, read_all, retold
from palate.evaluation.asking import Models
from palate.evaluation.baselines import counted
from palate.evaluation.judging import PARTS, Bench
from palate.evaluation.report import Report, Row, Value
from palate.evaluation.run import FunnelOf, Learn, Progress, Wish, check_models, drawn, models_of
from palate.evaluation.split import Case, Split, rolling
from palate.evaluation.workspace import Workspace
from palate.events.batch import EventBatch
from palate.stores import Stores
from palate.streaming.replay import Replay

STATES = ("frozen", "online")
SLICES = tuple(f"{state} {part}" for state in STATES for part in PARTS)


@dataclass(slots=True)
class _Rolling:
    """A workspace whose visitors, and in one of two sets of stores also items, go on."""

    space: Workspace
    batch: EventBatch
    going: Replay
    models: dict[str, Models]
    """By state."""
    lists: dict[str, dict[str, list[Rows]]]
    """By state and model; a list a question."""
    cases: list[Case]

    def go_on(self, before: Split, now: Split) -> None:
        """Fold what happened between the beginnings of two windows."""
        told = retold(self.batch, now.train & ~before.train)
        for part in told.chunks():
            self.going.apply(replace(part, position=part.position + self.going.position))
        self.going.boards(now.moment)
        servable = self.space.stores.columns.servable[: self.space.stores.columns.size]
        counts = counted(self.batch, now, servable)
        self.models["online"] = replace(self.models["online"], counted=counts)

    async def ask(self, cut: Split, cases: Sequence[Case], seed: int) -> None:
        """Ask everybody of a window, in both states."""
        space = replace(self.space, moment=cut.moment, crowd=self.going, apart=frozenset())
        for case in cases:
            for state, models in self.models.items():
                found = await models.ask(case, space.query(case, seed))
                for name, answered in self.lists[state].items():
                    answered.append(found[name])
        self.cases += cases


def rolled(
    site: Stores, wish: Wish, windows: int, funnel_of: FunnelOf, learn: Learn, progress: Progress
) -> Report:
    """Split the site's log, learn from the training part once, and ask in each of `windows`.

    The site itself is only read. Raises BadInput where the log is too small to be split, or where
    a model is asked for that there is not.
    """
    started, shelf = perf_counter(), Shelf.of(site.items)
    check_models(site, funnel_of, wish)
    batch, entries = read_all(site.log, shelf, partial(progress, "read the log"))
    cuts = rolling(batch, windows, shelf.shown)
    with TemporaryDirectory(prefix="palate-rolling-") as folder:
        space = Workspace.build(site, shelf, batch, replace(cuts[0], cases=()), Path(folder))
        space = space.learnt(learn(space.stores, progress))
        run = _begun(space, batch, cuts[0], funnel_of, wish)
        for number, (before, cut) in enumerate(pairwise((cuts[0], *cuts))):
            run.go_on(before, cut)
            asyncio.run(run.ask(cut, drawn(cut, wish), wish.seed))
            progress("ask", (number + 1) / len(cuts))
        bench = Bench(run.cases, space.world(batch, cuts[0]), wish.seed)
        rows = _rows(run, bench)
    left_out, when = shelf.left_out(batch), rfc3339(cuts[0].moment)
    told: Mapping[str, Value] = {
        "items": bench.world.candidates,
        "events": entries,
        "left_out": left_out,
        "t1": when,
        "windows": len(cuts),
        "questions": len(run.cases),
    }
    seconds = round(perf_counter() - started, 1)
    return Report(protocol="rolling", data=told, rows=rows, command=wish.command, seconds=seconds)


def _begun(
    space: Workspace, batch: EventBatch, cut: Split, funnel_of: FunnelOf, wish: Wish
) -> _Rolling:
    going = Replay(space.stores.settings, space.crowd.columns)
    for part in retold(batch, cut.train).chunks():
        going.apply(part)
    live = replace(
        space.stores,
        states=going.states,
        boards=going.boards(cut.moment),
        covisit=going.covisit,
    )
    both = zip(STATES, (space.stores, live), strict=True)
    models = {state: models_of(stores, funnel_of, batch, cut, wish) for state, stores in both}
    lists: dict[str, dict[str, list[Rows]]] = {
        state: {name: [] for name in each.names} for state, each in models.items()
    }
    return _Rolling(space, batch, going, models, lists, [])


def _rows(run: _Rolling, bench: Bench) -> tuple[Row, ...]:
    """Of each state and slice, the models that said anything."""
    rows = [
        row | {"slice": f"{state} {row['slice']}"}
        for state, models in run.lists.items()
        for name, lists in models.items()
        if any(map(len, lists))
        for row in bench.rows(name, lists)
    ]
    return tuple(sorted(rows, key=lambda row: SLICES.index(str(row["slice"]))))
