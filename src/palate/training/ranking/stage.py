"""The ranker's part of a run: rows out of history, training, calibration, and the gate."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from palate.arrays import Floats, Rows
from palate.features.measured import Measured
from palate.funnel.merge import Admission
from palate.models.everybody import Everybody
from palate.models.ranker import HEADS, RankerFacts, VectorsOf
from palate.ranking.network import compared_vectors
from palate.releases.manifest import Verdict
from palate.releases.release import Release
from palate.settings import TrainingSettings
from palate.stores_offline import open_offline
from palate.training import sizing
from palate.training.dataset import Dataset
from palate.training.gate import by_visit, challenged, judge_ranker, refused
from palate.training.ranking.canary import watch
from palate.training.ranking.folds import (
    FOLDS,
    JUDGED,
    Fold,
    Kind,
    Layout,
    Learnt,
    curves,
    fused,
    judged,
    learn_all,
    run_fold,
    served,
)
from palate.training.ranking.importance import measure
from palate.training.ranking.judging.crossed import tuned
from palate.training.ranking.judging.guards import Breadth, Items, breadth, guarded, items_of
from palate.training.ranking.judging.live import SHIPPED, Window, compared
from palate.training.ranking.judging.spread import Spread, spread
from palate.training.ranking.laplace import stray_of
from palate.training.ranking.lists import RankedList
from palate.training.ranking.moments.admission import admitted
from palate.training.ranking.moments.logged import AsShown
from palate.training.ranking.moments.rows import (
    HISTORY,
    Moment,
    RowSource,
    generator_names,
    reconstruct,
    sample_moments,
)
from palate.training.ranking.moments.shown import parted, showings, unanswered
from palate.training.ranking.numbers import counts_of, metrics_of
from palate.training.ranking.surfaces import of_surfaces
from palate.training.report import Report

FEWEST_MOMENTS, FEWEST_FOUND, FEWEST_USERS = 100, 50, 10
"""Below this no ranker is tried: the gate could not tell."""


@dataclass(frozen=True, slots=True)
class RankerOutcome:
    """A judged ranker; `learnt` is None where it stays behind."""

    verdict: Verdict
    promote: bool = True
    """False where the live release is surely better on what happened since it was made, or has a
    ranker while here none was tried."""
    learnt: Learnt | None = None
    facts: RankerFacts | None = None
    fusion: Mapping[str, float] = field(default_factory=dict)
    admitted: Mapping[str, float] = field(default_factory=dict)
    """What each generator's word counts where the pool is filled; empty: sensible weights."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    """What each feature was worth on the last part that was judged."""
    spread: float = 1.0
    """How far pages may be spread; in full where nobody could tell what it costs."""
    everybody: Everybody | None = None
    """What everybody would be shown, and so counts a little less."""
    judge: Sequence[RankedList] = ()
    """The last lists that were judged, whole."""
    lacking: str = ""
    """Where none was tried: what there is too little of, as part of a sentence."""


def learn_ranker(source: RowSource, data: Dataset, cut: float, report: Report) -> RankerOutcome:
    """Live through the moments after the cut, learn from them, and judge most of them."""
    settings = source.stores.settings.training
    asked = sizing.moments(settings, data.takers)
    moments = sample_moments(data.events, data.part(cut), asked, settings.horizon)
    late = moments[int(len(moments) * JUDGED) :]
    people = len({m.user for m in late})
    if len(moments) < FEWEST_MOMENTS or people < FEWEST_USERS:
        return _untried(
            f"a ranker needs {FEWEST_MOMENTS} moments in the last {1 - cut:.0%} of the log, and"
            f" {FEWEST_USERS} people in the end of it, and there are {len(moments):,} and"
            f" {people:,}",
            source.live,
        )
    report("rows", 0.0, "asking what finds what is taken next")
    quotas = source.stores.settings.retrieval.quotas
    until = int(data.events.position[late[0].at])
    source = replace(source, admission=Admission(quotas=quotas))
    weights = admitted(source, data, moments[: -len(late)], until)
    source = replace(source, admission=Admission.found(weights.weights, quotas))
    report("rows", 0.0, f"replaying the log with {len(moments):,} moments")
    hours = settings.attribution_hours
    pages = showings(data.events, data.part(cut), asked, 3_600.0 * hours)
    empty = unanswered(data.events, data.part(cut), asked // 2, 3_600.0 * hours, pages)
    both = sorted((*moments, *pages, *empty), key=lambda each: each.at)
    as_shown = _as_shown(source, data, (*pages, *empty))
    made = reconstruct(source, data, both, int(len(moments) * JUDGED), report, as_shown)
    lists, logged = parted(both, made)
    known = sum(bool(each.labels.any()) for each in lists)
    if known < FEWEST_FOUND:
        return _untried(
            f"a ranker needs {FEWEST_FOUND} moments at which a generator knew what was taken next,"
            f" and there are {known:,} of {len(lists):,}",
            source.live,
        )
    watched = _watched(lists, logged, source.features, data)
    report("ranker", 0.0, f"{len(lists):,} lists, {settings.ranker_candidates} items each")
    found = _judged(source, data, lists, logged, report)
    told = f"{found.verdict.sentence}{watched}{weights}"
    verdict = msgspec.structs.replace(found.verdict, sentence=told)
    metrics = {**found.metrics, **as_shown.numbers(), **weights.numbers()}
    return replace(found, verdict=verdict, metrics=metrics, admitted=weights.weights)


def _watched(
    lists: Sequence[RankedList],
    logged: Sequence[RankedList],
    features: tuple[str, ...],
    data: Dataset,
) -> str:
    """What the canary has to say of the rows, and of what was kept of pages as they were shown."""
    told = watch(lists, features, data.events, "lists")
    if not logged:
        return told
    return told + watch(logged, features, data.events, "pages that were shown")


def _as_shown(source: RowSource, data: Dataset, pages: Sequence[Moment]) -> AsShown:
    """What is kept of these pages' features."""
    stores, live = source.stores, source.live.manifest if source.live else None
    positions = {int(data.events.position[page.at]) for page in pages}
    if not positions:
        return AsShown()

    def rows_of(ids: Sequence[str]) -> Rows:
        return stores.items.rows(ids, create=False)

    with closing(open_offline(stores.settings)) as offline:
        return AsShown.of(offline, live, source.features, positions, rows_of)


def _untried(lacking: str, live: Release | None) -> RankerOutcome:
    verdict = refused("ranker", lacking, ": weighted fusion ranks")
    if live is None or live.ranker is None:
        return RankerOutcome(verdict, lacking=lacking)
    said = (
        f" The live release {live.name} has a ranker, and nothing says that the new one, without,"
        " is as good: the live one stays."
    )
    verdict = msgspec.structs.replace(verdict, sentence=verdict.sentence + said)
    return RankerOutcome(verdict, promote=False, lacking=lacking)


def _judged(
    source: RowSource,
    data: Dataset,
    lists: Sequence[RankedList],
    logged: Sequence[RankedList],
    report: Report,
) -> RankerOutcome:
    settings = source.stores.settings
    kind, vectors = _vectors(source)
    layout = Layout(source.features, generator_names(source), vectors, logged)
    folds = [run_fold(lists, shares, layout, settings, report) for shares in FOLDS]
    best, verdict = _verdict(folds, settings.training.seed)
    cost, seed = settings.ranking.personal, settings.training.seed
    own, heard, crossed = found = tuned(folds, best, layout.generators, cost, seed)
    if found.any:
        folds = list(heard.folds)
        _, verdict = _verdict([_only(fold, best) for fold in crossed], seed)
    verdict = by_visit(challenged(verdict, best, crossed[-1].levels()), heard.numbers)
    metrics = metrics_of(layout.generators, folds, best) | {"ranker/personal": own.power}
    items = items_of(data, source.stores.columns.content_vectors)
    verdict = guarded(verdict, _breadths(folds, best, layout, items), metrics, settings.gate)
    apart = _spread(folds, best, layout, source, ranked=verdict.shipped)
    metrics |= {f"spread/{name}": each for name, each in apart._asdict().items()}
    verdict = msgspec.structs.replace(verdict, sentence=f"{verdict.sentence} {apart}")
    window = _window(verdict, crossed, best, layout, items)
    metrics[SHIPPED] = window.level
    verdict, promote = _since(verdict, window, source)
    outcome = RankerOutcome(
        verdict,
        promote=promote,
        spread=apart.share,
        fusion=folds[-1].fusion,
        metrics=metrics,
        data=counts_of(lists, layout),
        measured=measure(
            folds[-1].answers[best].learnt, folds[-1].judge, layout.features, settings
        ),
    )
    if not verdict.shipped:
        return outcome
    learnt = _whole(best, lists, layout, folds[-1], settings.training, report)
    facts = _facts(best, layout, lists, folds)
    facts = msgspec.structs.replace(facts, shares=dict(heard.by_visit), height=heard.height)
    if best != "lambdamart" and kind:
        facts = msgspec.structs.replace(facts, vectors=kind, history=HISTORY)
    judge = folds[-1].judge
    return replace(outcome, learnt=learnt, facts=facts, judge=judge, everybody=own.everybody)


def _vectors(source: RowSource) -> tuple[VectorsOf, Floats]:
    """What a network compares: the tower's vectors, content where there is no tower."""
    columns, release = source.stores.columns, source.release
    tower = release.two_tower if release else None
    vectors = compared_vectors(tower, np.arange(columns.size, dtype=np.int32), columns)
    if tower is not None:
        return "two_tower", vectors
    return ("content", vectors) if vectors.any() else ("", np.zeros((0, 0), np.float32))


def _verdict(folds: Sequence[Fold], seed: int) -> tuple[Kind, Verdict]:
    """All parts together: the more people, the surer the verdict."""
    users = np.concatenate([fold.users for fold in folds])
    tried = {
        kind: np.concatenate([fold.answers[kind].ndcg for fold in folds])
        for kind in folds[0].answers
    }
    against = {
        name: np.concatenate([fold.baselines[name] for fold in folds])
        for name in folds[0].baselines
    }
    best, verdict = judge_ranker(tried, against, users, seed)
    return best, verdict


def _only(fold: Fold, kind: Kind) -> Fold:
    return replace(fold, answers={kind: fold.answers[kind]})


def _breadths(
    folds: Sequence[Fold], kind: Kind, layout: Layout, items: Items
) -> tuple[Breadth, Breadth]:
    """What the first pages of the ranker and of weighted fusion are made of."""
    judge, orders = judged(folds), (served(folds, kind), fused(folds, layout.generators))
    return breadth(judge, orders[0], items), breadth(judge, orders[1], items)


def _spread(
    folds: Sequence[Fold], kind: Kind, layout: Layout, source: RowSource, *, ranked: bool
) -> Spread:
    """How far pages may be spread, in the order that ships: the ranker's or fusion's."""
    order = served(folds, kind) if ranked else fused(folds, layout.generators)
    cost = source.stores.settings.ranking.spread
    return spread(judged(folds), order, source.stores.columns, cost)


def _window(
    verdict: Verdict, folds: Sequence[Fold], kind: Kind, layout: Layout, items: Items
) -> Window:
    """The judged lists, and how what would ship orders them."""
    new = [f.answers[kind].ndcg if verdict.shipped else f.baselines["fusion"] for f in folds]
    names = layout.generators
    order = served(folds, kind) if verdict.shipped else fused(folds, names)
    return Window(judged(folds), np.concatenate(new), order, layout.features, names, items)


def _since(verdict: Verdict, window: Window, source: RowSource) -> tuple[Verdict, bool]:
    """Compare what would ship with the live release, where there is one."""
    if source.live is None:
        return verdict, True
    return compared(verdict, window, source.live, source.stores)


def _whole(
    kind: Kind,
    lists: Sequence[RankedList],
    layout: Layout,
    last: Fold,
    settings: TrainingSettings,
    report: Report,
) -> Learnt:
    """What ships: the judged recipe over every moment, for as many passes as were best."""
    epochs = max(last.answers[kind].epochs, 1)
    planned = msgspec.structs.replace(settings, ranker_epochs=epochs)
    past, recipe = layout.learnable(lists, sys.maxsize), layout.recipe(last.fusion)
    return learn_all([kind], past, [], recipe, planned, report)[kind]


def _facts(
    kind: Kind, layout: Layout, lists: Sequence[RankedList], folds: Sequence[Fold]
) -> RankerFacts:
    """Calibrated on what the folds said of lists they had not learnt from."""
    knots = curves(np.concatenate([fold.answers[kind].raw for fold in folds]), judged(folds))
    means = np.concatenate([each.features for each in lists]).mean(axis=0)
    return RankerFacts(
        features=layout.features,
        means=tuple(map(float, means)),
        knots=knots,
        heads=HEADS,
        stray=stray_of(folds, kind),
        surfaces=of_surfaces(kind, layout, folds, knots),
    )
