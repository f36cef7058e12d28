"""Ask everybody once, in a workspace of its own, and judge every model on the same questions."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeAlias

import numpy as np

from palate.arrays import Rows
from palate.catalog.fields import rfc3339
from palate.errors import BadInput
from palate.evaluation.as_of import Shelf, read_all
from palate.evaluation.asking import Models, possible
from palate.evaluation.baselines import counted
from palate.evaluation.judging import PARTS, Bench
from palate.evaluation.overhearing import overheard
from palate.evaluation.report import Report, Value
from palate.evaluation.split import Case, Protocol, Split, split
from palate.evaluation.workspace import Workspace
from palate.events.batch import EventBatch
from palate.events.kinds import INTERNAL
from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion
from palate.stores import Stores

Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and how far it is (0 to 1)."""
FunnelOf: TypeAlias = Callable[[Stores], Funnel]
"""Builds the surface that is judged, without exploration, on any set of stores."""
Learn: TypeAlias = Callable[[Stores, Progress], Stores]
"""Trains on the log of the stores it is given; returns them with the release live."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to evaluate."""

    protocol: Protocol = "time"
    users: int = 0
    """Ask only so many users, drawn with `seed`; 0 is all."""
    models: Sequence[str] = ()
    """Judge only these; () is all."""
    seed: int = 1
    command: str = ""
    """How the run was called; printed with its numbers."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What every model answered to every question."""

    lists: Mapping[str, Sequence[Rows]]
    """Model -> one list per case, best first."""
    bench: Bench
    data: Mapping[str, Value]
    """Counts of the data and of the split."""


def evaluate(
    site: Stores, wish: Wish, funnel_of: FunnelOf, learn: Learn, progress: Progress
) -> Report:
    """Split the site's log, learn from the training part, ask, judge.

    The site itself is only read. Raises BadInput where the log is too small to be split, or where
    a model is asked for that there is not.
    """
    started = perf_counter()
    found = answers(site, wish, funnel_of, learn, progress)
    rows = [row for name, lists in _spoken(found) for row in found.bench.rows(name, lists)]
    rows.sort(key=lambda row: PARTS.index(str(row["slice"])))
    return Report(
        protocol=wish.protocol,
        data=found.data,
        rows=tuple(rows),
        command=wish.command,
        seconds=round(perf_counter() - started, 1),
    )


def _spoken(found: Answers) -> list[tuple[str, Sequence[Rows]]]:
    """The models that said anything: without a release, the towers are silent, not bad."""
    return [(name, lists) for name, lists in found.lists.items() if any(map(len, lists))]


@dataclass(frozen=True, slots=True)
class Past:
    """A site as of the split, with a release that knows nothing later."""

    entries: int
    """Of the whole log."""
    left_out: int
    """Events that tell that somebody took in what nobody can be shown: not in the catalogue, or
    hidden. Nobody is asked for these."""
    batch: EventBatch
    cut: Split
    space: Workspace


@contextmanager
def as_of_the_split(site: Stores, wish: Wish, learn: Learn, progress: Progress) -> Iterator[Past]:
    """Cut the log, fold what lies before, learn from it. The site itself is only read.

    Raises BadInput where the log is too small to be split.
    """
    shelf = Shelf.of(site.items)
    batch, entries = read_all(site.log, shelf, partial(progress, "read the log"))
    cut = split(batch, wish.protocol, shown=shelf.shown)
    with TemporaryDirectory(prefix="palate-evaluation-") as folder:
        progress("fold the past", 0.0)
        space = Workspace.build(site, shelf, batch, cut, Path(folder))
        progress("fold the past", 1.0)
        space = space.learnt(learn(space.stores, progress))
        yield Past(entries, shelf.left_out(batch), batch, cut, space)


def answers(
    site: Stores, wish: Wish, funnel_of: FunnelOf, learn: Learn, progress: Progress
) -> Answers:
    """Everything but the judging: `evaluate` before it looks at what was right."""
    check_models(site, funnel_of, wish)
    with as_of_the_split(site, wish, learn, progress) as past:
        batch, cut, space = past.batch, past.cut, past.space
        models = models_of(space.stores, funnel_of, batch, cut, wish)
        cases = drawn(cut, wish)
        lists = asyncio.run(_asked(models, space, cases, wish.seed, progress))
        bench = Bench(cases, space.world(batch, cut), wish.seed)
        return Answers(lists, bench, _counts(past, bench))


def models_of(
    stores: Stores, funnel_of: FunnelOf, batch: EventBatch, cut: Split, wish: Wish
) -> Models:
    """All that is wished for, as far as this release has it."""
    counts = counted(batch, cut, stores.columns.servable[: stores.columns.size])
    fusion = Fusion.default(stores)
    return Models(overheard(funnel_of(stores)), fusion, counts, frozenset(wish.models))


def check_models(site: Stores, funnel_of: FunnelOf, wish: Wish) -> None:
    """Raise BadInput where a model is wished for that no release can have; learns nothing."""
    there = possible(funnel_of(site))
    unknown = [name for name in wish.models if name not in there]
    if unknown:
        raise BadInput(f"no model {unknown[0]!r}; there are {', '.join(there)}")


def drawn(cut: Split, wish: Wish) -> Sequence[Case]:
    """The cases that are asked: all, or as many as are wished for."""
    if not 0 < wish.users < len(cut.cases):
        return cut.cases
    dice = np.random.Generator(np.random.PCG64(wish.seed))
    drawn = np.sort(dice.permutation(len(cut.cases))[: wish.users])
    return [cut.cases[at] for at in drawn.tolist()]


async def _asked(
    models: Models, space: Workspace, cases: Sequence[Case], seed: int, progress: Progress
) -> Mapping[str, list[Rows]]:
    lists: dict[str, list[Rows]] = {name: [] for name in models.names}
    for done, case in enumerate(cases, start=1):
        answers = await models.ask(case, space.query(case, seed))
        for name, answered in lists.items():
            answered.append(answers[name])
        progress("ask", done / len(cases))
    return lists


def _counts(past: Past, bench: Bench) -> Mapping[str, Value]:
    batch, cut = past.batch, past.cut
    parts = [case.part for case in bench.cases]
    public = ~np.isin(batch.kind, list(INTERNAL))
    return {
        "items": bench.world.candidates,
        "users": len(np.unique(batch.user[public])),
        "events": len(np.unique(batch.position[public])),
        "train_events": len(np.unique(batch.position[public & cut.train])),
        "left_out": past.left_out,
        "t1": rfc3339(cut.moment),
        **{part: parts.count(part) for part in PARTS if part in parts},
    }
