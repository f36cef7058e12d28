"""The solved models' part of a run: choose on held-out events, then solve again for everything."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from palate.arrays import Floats
from palate.catalog.columns import ItemColumns
from palate.index.opening import Building
from palate.models.ials import Ials, IalsFacts
from palate.models.linear import Linear, LinearFacts
from palate.releases.manifest import Verdict
from palate.releases.release import IALS, LINEAR, TOGETHER, Release
from palate.settings import TrainingSettings
from palate.training.dataset import Dataset
from palate.training.report import Report
from palate.training.sequences import Sequences
from palate.training.solved import ials, linear
from palate.training.solved.choosing import Exam, foremost
from palate.training.solved.histories import Histories, from_sequences
from palate.training.solved.linear import LinearPlan

VALIDATE, NEWCOMERS = 0.95, 0.85
"""Share of the events before the cut that is learnt from; the rest chooses. What serves thin
histories is chosen by those who came new, so it takes a longer rest."""
FEWEST_USERS, FEWEST_ITEMS, FEWEST_QUESTIONS = 5, 5, 10
EASE, RP3BETA = (20.0, 8.0), (0.3,)
"""EASE's weight in mean engagements of an item, so that it fits catalogues of any liveliness."""
FADES, PRIORS = (1.0, 0.97, 0.9, 0.8, 0.7, 0.5), (0.3, 1.0)
"""How much less each step back counts; then, at the best of these, how far to lean on the average
user."""
POWERS, WALKS = (0.1, 0.2, 0.35, 0.5), (0.0, 0.3)
"""What newcomers may get: counts of people who took both, held down by these powers of the items'
own, or the walk, in which somebody of few acts says more, with these betas."""
FACTORS = ((20.0, 0.15), (6.0, 0.15), (50.0, 0.25))
"""What all that a mean user did not take weighs together, and the penalty: both against what they
took, so that they fit data of any density. Where a pair of which nothing is known would weigh as
much as one that was taken (dense data), the last says nothing new and is not tried."""
EVEN = 1.0


@dataclass(frozen=True, slots=True)
class Solved:
    """What came of it; None where there was too little."""

    linear: Linear | None = None
    ials: Ials | None = None
    together: Linear | None = None
    verdicts: tuple[Verdict, ...] = ()

    def within(self, release: Release) -> Release:
        """A candidate release with these models."""
        return replace(release, linear=self.linear, ials=self.ials, together=self.together)

    def save(self, folder: Path) -> None:
        """Write each model into its folder of the release."""
        if self.linear is not None:
            self.linear.save(folder / LINEAR)
        if self.ials is not None:
            self.ials.save(folder / IALS)
        if self.together is not None:
            self.together.save(folder / TOGETHER)


def learn_solved(
    data: Dataset, columns: ItemColumns, settings: TrainingSettings, cut: float, report: Report
) -> Solved:
    """Fit on the events before the cut; the newest of them choose between settings."""
    since, until = data.part(cut * VALIDATE), data.part(cut)
    sequences = Sequences.of(data.events)
    exam = Exam.of(sequences, data.rows, since, until, settings.seed)
    if not _enough(exam.past) or len(exam.questions) < FEWEST_QUESTIONS:
        return Solved()
    report("linear", 0.0, f"{len(exam.past.items):,} engagements, {len(exam.questions):,} asked")
    filtered, filter_mark = foremost(_filters(exam, settings))
    report("factors", 0.0, f"implicit ALS with {settings.dim} factors")
    content = _content(columns, data.rows)
    factored, factor_mark = foremost(_factored(exam, content, settings))
    filtered.facts = msgspec.structs.replace(filtered.facts, metric=filter_mark)
    factored.facts = msgspec.structs.replace(factored.facts, metric=factor_mark)
    early = data.part(cut * NEWCOMERS)
    newcomers = Exam.of_newcomers(sequences, data.rows, early, until, settings.seed)
    together, together_mark = _counted(newcomers, exam.past)
    return Solved(
        filtered,
        factored,
        together,
        (
            _verdict("linear", filter_mark, exam),
            _verdict("ials", factor_mark, exam),
            _verdict("together", together_mark, newcomers),
        ),
    )


def refit_solved(
    solved: Solved, data: Dataset, columns: ItemColumns, how: Building, report: Report
) -> Solved:
    """Solve again, as chosen, for the whole log; `how` the factors' index is built."""
    if solved.linear is None or solved.ials is None:
        return solved
    report("refit", 0.0, "linear filter and factors once more, over the whole log")
    past = from_sequences(Sequences.of(data.events), data.rows, data.part(1.0))
    filtered = _again(solved.linear.facts, past)
    factored = ials.fit(past, _content(columns, data.rows), solved.ials.facts, how=how)
    both = _again(solved.together.facts, past) if solved.together else None
    return replace(solved, linear=filtered, ials=factored, together=both)


def _again(facts: LinearFacts, past: Histories) -> Linear:
    """The filter as chosen, learnt from `past`."""
    plan = LinearPlan(facts.method, facts.regularization)
    return Linear(facts, linear.fit(past, plan).table)


def _enough(past: Histories) -> bool:
    items = int((past.counts() > 0).sum())
    users = int((np.diff(past.starts) > 0).sum())
    return items >= FEWEST_ITEMS and users >= FEWEST_USERS


def _filters(exam: Exam, settings: TrainingSettings) -> Iterator[tuple[Linear, float]]:
    for plan in plans(exam.past, settings):
        fitted = linear.fit(exam.past, plan)
        faded, mark = foremost(_marked(exam, fitted, [{"fade": fade} for fade in FADES]))
        yield faded, mark
        yield from _marked(exam, faded, [{"prior": prior} for prior in PRIORS])


def _marked(
    exam: Exam, fitted: Linear, changes: Iterable[dict[str, float]]
) -> Iterator[tuple[Linear, float]]:
    """The same filter, read in other ways."""
    for change in changes:
        model = Linear(msgspec.structs.replace(fitted.facts, **change), fitted.table)
        yield model, exam.mark(model.score)


def _counted(newcomers: Exam, past: Histories) -> tuple[Linear, float]:
    """Counts of people who took both: chosen by those who came new, then counted over `past`."""
    facts, mark = foremost(_counts(newcomers))
    return _again(facts, past), mark


def _counts(newcomers: Exam) -> Iterator[tuple[LinearFacts, float]]:
    both = [LinearPlan("together", power) for power in POWERS]
    walks = [LinearPlan("rp3beta", beta) for beta in WALKS]
    for plan in (*both, *walks):
        fitted = linear.fit(newcomers.past, plan)
        for model, mark in _marked(newcomers, fitted, [{"fade": fade} for fade in FADES]):
            yield model.facts, mark


def plans(past: Histories, settings: TrainingSettings) -> list[LinearPlan]:
    """What is tried: EASE as long as its dense matrix is small, the sparse walk always."""
    mean = len(past.items) / max(int((past.counts() > 0).sum()), 1)
    dense = EASE if past.rows <= settings.ease_items else ()
    return [
        *(LinearPlan("ease", weight * mean) for weight in dense),
        *(LinearPlan("rp3beta", beta) for beta in RP3BETA),
    ]


def _factored(
    exam: Exam, content: Floats, settings: TrainingSettings
) -> Iterator[tuple[Ials, float]]:
    for facts in factors(exam.past, settings.dim):
        fitted = ials.fit(exam.past, content, facts, how=Building(settings.seed))
        for fade in FADES:
            model = fitted.faded(fade)
            yield model, exam.mark(model.score)


def factors(past: Histories, dim: int) -> list[IalsFacts]:
    """What iALS is tried with on these histories."""
    mean = len(past.items) / max(int((np.diff(past.starts) > 0).sum()), 1)
    rows, found = max(int((past.counts() > 0).sum()), 1), list[IalsFacts]()
    for rest, pull in FACTORS:
        unobserved = min(rest * mean / rows, EVEN)
        if any(each.unobserved == unobserved == EVEN for each in found):
            continue
        weight = pull * mean / (mean + unobserved * rows) ** 0.5
        found.append(IalsFacts(dim=dim, unobserved=unobserved, regularization=weight, exponent=0.5))
    return found


def _content(columns: ItemColumns, rows: int) -> Floats:
    read = columns.read(np.arange(rows, dtype=np.int32), ("content",))
    return np.ascontiguousarray(read["content"], np.float32)


def _verdict(part: str, mark: float, exam: Exam) -> Verdict:
    told = f"{part}: {mark:.4f} (half NDCG@10, half recall@100) on {len(exam.questions):,} users."
    numbers = {part: mark, "questions": float(len(exam.questions))}
    return Verdict(part=part, shipped=True, sentence=told, numbers=numbers)
