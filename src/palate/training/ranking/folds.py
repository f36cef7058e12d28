"""Forward chaining: learn from the past, be calibrated on what follows, be judged on the rest.

One part of the log holds too few people to tell a good ranker from a lucky one. So the moments are
cut into several parts, in order of time, and every part but the first two is judged by a ranker
that has learnt from everything before it.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from palate.arrays import Doubles, Floats, Keys
from palate.models.ranker import HEADS, Knots
from palate.models.trees import Trees
from palate.ranking.value import weights_of
from palate.settings import Settings, TrainingSettings
from palate.training.gate import level
from palate.training.ranking.blend import Blend
from palate.training.ranking.calibration import calibrate
from palate.training.ranking.fitting import Fitted, Recipe, fit_ranker, row_weights
from palate.training.ranking.fusion import fit_fusion, fusion_scores
from palate.training.ranking.lambdamart import fit_trees, raw_of_trees
from palate.training.ranking.lists import RankedList, ndcg, thinned
from palate.training.report import Report

FOLDS = ((0.3, 0.45, 0.65), (0.45, 0.65, 0.85), (0.65, 0.85, 1.0))
"""Shares of the moments: what comes first trains, the next part stops the training and calibrates,
the last is judged."""
JUDGED = FOLDS[0][1]
"""From here on lists keep every candidate."""


Kind: TypeAlias = Literal["network", "lambdamart", "blend"]
Learnt: TypeAlias = Fitted | Trees | Blend
KINDS: tuple[Kind, ...] = ("network", "lambdamart", "blend")


class Layout(NamedTuple):
    """What a fold's arrays are in order of, and what its networks compare."""

    features: tuple[str, ...]
    generators: tuple[str, ...]
    vectors: Floats
    """(rows, dim) item vectors of unit length; (0, 0) for none."""
    logged: Sequence[RankedList] = ()
    """Pages that were really shown: learnt from, never judged by."""

    def learnable(self, lists: Sequence[RankedList], until: int) -> Sequence[RankedList]:
        """Of `lists` and of what was shown before the log position `until`: what says something.

        Where a page is known from which something was taken, the reconstruction gives way to it.
        """
        shown = [e for e in self.logged if e.position < until and not e.unanswered]
        both = [*(each for each in lists if not each.told), *shown]
        return [each for each in both if each.labels.any()] or lists

    def shown_during(self, judge: Sequence[RankedList], surface: str) -> list[RankedList]:
        """Pages of a surface from the time of these lists, also those from which nothing was taken.

        Whoever is judged by these lists has learnt from nothing of that time.
        """
        first, last = judge[0].position, judge[-1].position
        return [e for e in self.logged if first <= e.position <= last and e.surface == surface]

    def recipe(self, fusion: Mapping[str, float]) -> Recipe:
        """A network's, with fusion's weights by the feature that holds 1 / the generator's rank."""
        columns = {f"{name}_rank": weight for name, weight in fusion.items() if weight > 0}
        votes = {at: columns[name] for at, name in enumerate(self.features) if name in columns}
        return Recipe(votes, self.vectors)


class Answer(NamedTuple):
    """What one kind of ranker said of the judged lists."""

    raw: Floats
    """(rows, heads): its own probabilities."""
    predicted: Floats
    """(rows, heads): calibrated on the part before."""
    served: Floats
    """(rows,): the value that orders."""
    ndcg: Doubles
    """(lists,): NDCG@10 of that order."""
    epochs: int
    """After how many passes its training was best."""
    learnt: Learnt


@dataclass(frozen=True, slots=True)
class Fold:
    """What rankers said of lists that came after everything they had learnt from."""

    judge: Sequence[RankedList]
    fusion: Mapping[str, float]
    """The weights that they had to beat."""
    baselines: Mapping[str, Doubles]
    """(lists,) NDCG@10 of weighted fusion, of plain reciprocal ranks, and of each generator."""
    answers: Mapping[Kind, Answer]

    @property
    def users(self) -> Keys:
        """Who each list is of."""
        return np.array([each.user for each in self.judge], np.uint64)

    def levels(self) -> dict[str, float]:
        """NDCG@10 of each kind of ranker, mean over users."""
        return {kind: level(answer.ndcg, self.users) for kind, answer in self.answers.items()}


def run_fold(
    lists: Sequence[RankedList],
    shares: tuple[float, float, float],
    layout: Layout,
    settings: Settings,
    report: Report,
) -> Fold:
    """Learn from the first share, stop and calibrate on the second, answer for the third.

    What was told of either only while the third was judged is neither learnt from nor stops the
    training. It calibrates: a label that had no time to come true would lower every promise.
    """
    first, second, third = (int(len(lists) * share) for share in shares)
    train, held, judge = lists[:first], lists[first:second], lists[second:third]
    fusion = fit_fusion(train, held, layout.generators, settings.training.seed)
    dice = np.random.Generator(np.random.PCG64(settings.training.seed))
    few = settings.training.ranker_candidates
    train, held = ([thinned(x, few, dice) for x in part] for part in (train, held))
    known, stop = ([x.as_known(judge[0].position) for x in part] for part in (train, held))
    past = layout.learnable(known, held[0].position)
    wanted = kinds(settings.training, last=shares == FOLDS[-1])
    recipe = layout.recipe(fusion)
    learnt = learn_all(wanted, past, stop, recipe, settings.training, report)
    answers = {each: _answer(found, held, judge, settings) for each, found in learnt.items()}
    return Fold(judge, fusion, _baselines(judge, layout.generators, fusion), answers)


def kinds(settings: TrainingSettings, *, last: bool) -> tuple[Kind, ...]:
    """What is tried: the wish first; on the last part the others too, for the report."""
    if settings.ranker == "auto":
        return KINDS
    others = tuple(kind for kind in KINDS if last and kind != settings.ranker)
    return (settings.ranker, *others)


def learn_all(
    wanted: Sequence[Kind],
    train: Sequence[RankedList],
    held: Sequence[RankedList],
    recipe: Recipe,
    settings: TrainingSettings,
    report: Report,
) -> dict[Kind, Learnt]:
    """Each kind that is wanted: a network, stopped where `held` says, trees, or both together.

    Nothing learns from `held`: it stops the network, and calibrates what is judged.
    """
    if tuple(wanted) == ("lambdamart",):
        report("ranker", 1.0, f"growing trees on {len(train):,} lists")
        return {"lambdamart": fit_trees(train, settings)}
    with ThreadPoolExecutor(1) as aside:  # trees grow without the interpreter
        growing = aside.submit(fit_trees, train, settings) if set(wanted) != {"network"} else None
        network = fit_ranker(train, held, recipe, settings, report)
        trees = growing.result() if growing else None
    if trees is None:
        return {"network": network}
    made: dict[Kind, Learnt] = {"network": network, "lambdamart": trees}
    if "blend" in wanted:
        made["blend"] = Blend.of(network, trees, held or train)
    return {kind: made[kind] for kind in wanted}


def raw_of(learnt: Learnt, lists: Sequence[RankedList]) -> Floats:
    """(rows, heads): what a ranker says of the kept rows, end to end."""
    if isinstance(learnt, Trees):
        return raw_of_trees(learnt, lists, len(HEADS))
    return learnt.raw(lists)


def _answer(
    learnt: Learnt, held: Sequence[RankedList], judge: Sequence[RankedList], settings: Settings
) -> Answer:
    before = curves(raw_of(learnt, held), held)
    raw = raw_of(learnt, judge)
    columns = [before[head].apply(raw[:, i]) for i, head in enumerate(HEADS)]
    predicted = np.stack(columns, axis=1)
    served = predicted @ weights_of(settings.ranking.value, HEADS)
    network = learnt.network if isinstance(learnt, Blend) else learnt
    epochs = network.epochs if isinstance(network, Fitted) else 0
    return Answer(raw, predicted, served, ndcg(judge, served), epochs, learnt)


def _baselines(
    judge: Sequence[RankedList], names: tuple[str, ...], fusion: Mapping[str, float]
) -> dict[str, Doubles]:
    ranks = np.concatenate([each.ranks for each in judge]).astype(np.float32)
    alone = np.divide(1.0, ranks, out=np.zeros_like(ranks), where=ranks > 0)
    return {
        "fusion": ndcg(judge, fusion_scores(judge, names, fusion)),
        "rrf": ndcg(judge, fusion_scores(judge, names, dict.fromkeys(names, 1.0))),
        **{name: ndcg(judge, alone[:, at], alone[:, at] > 0) for at, name in enumerate(names)},
    }


def curves(raw: Floats, lists: Sequence[RankedList]) -> dict[str, Knots]:
    """Each head's calibration on the kept rows of these lists."""
    labels = np.concatenate([each.labels[each.kept] for each in lists])
    weights = np.concatenate([row_weights(each) for each in lists])
    return {head: calibrate(raw[:, i], labels[:, i], weights) for i, head in enumerate(HEADS)}


def judged(folds: Sequence[Fold]) -> list[RankedList]:
    """The lists that judged, of all parts end to end."""
    return [each for fold in folds for each in fold.judge]


def served(folds: Sequence[Fold], kind: Kind) -> Floats:
    """(entries,): the values by which a ranker orders these lists, end to end."""
    return np.concatenate([fold.answers[kind].served for fold in folds])


def fused(folds: Sequence[Fold], names: tuple[str, ...]) -> Floats:
    """(entries,): the same of weighted fusion."""
    return np.concatenate([fusion_scores(fold.judge, names, fold.fusion) for fold in folds])
