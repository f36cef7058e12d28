"""The live release, judged on what happened since it was made: its follower must be no worse."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from palate.arrays import Doubles, Floats, Mask
from palate.catalog.columns import ItemColumns
from palate.models.ranker import RankerModel, Taste
from palate.models.two_tower import TwoTower
from palate.ranking.network import compared_vectors
from palate.ranking.value import shared, weights_of
from palate.releases.manifest import Verdict
from palate.releases.release import Release
from palate.settings import GateSettings
from palate.stores import Stores, with_release
from palate.training.gate import level, paired
from palate.training.ranking.fusion import fusion_scores
from palate.training.ranking.judging.guards import SEEN, Items, breadth, given_up
from palate.training.ranking.lists import RankedList, ndcg

FEWEST_USERS = 20
"""People who came since: with fewer, nobody can tell in pairs."""
SHIPPED = "shipped/ndcg@10"
"""The manifest's name for how well what ships orders the judged lists."""
KEPT = 0.9
"""A release that reaches less than this share of what the live one had reached, asked the same of
much the same log, stays behind."""
KEPT_BREADTH = (
    "Its first pages keep enough of the different items, the variety and the new items of the live"
    " one's."
)
ASKED = ("horizon", "ranker_queries", "attribution_hours")
"""Settings of [training] on which hangs what is asked."""


class Window(NamedTuple):
    """Judged lists, and how the new order did on them."""

    lists: Sequence[RankedList]
    new: Doubles
    """(lists,): NDCG@10 of what would ship."""
    orders: Floats
    """(entries,): the values by which what would ship orders the lists, end to end."""
    features: tuple[str, ...]
    generators: tuple[str, ...]
    items: Items

    @property
    def level(self) -> float:
        """NDCG@10 of what would ship, every user counting alike."""
        return level(self.new, np.array([each.user for each in self.lists], np.uint64))


def compared(
    verdict: Verdict,
    window: Window,
    live: Release,
    stores: Stores,
) -> tuple[Verdict, bool]:
    """Say how the live release orders what it has not learnt from; False where it is surely better.

    False, too, where its first pages have so much more breadth, variety and news than the new one's
    that ``[gate]`` forbids to give that up.
    Both order what today's generators found and the new release lets into the pool; the live ranker
    reads the words of today's towers. So what the live release does without is not held against it.
    Where nobody can tell, the verdict says so.
    """
    since = np.array([each.position > live.manifest.log_position for each in window.lists])
    late = [each for each, new in zip(window.lists, since, strict=True) if new]
    users = np.array([each.user for each in late], np.uint64)
    people = len(np.unique(users))
    if people < FEWEST_USERS:
        why = f"since it was made {people:,} people were judged, and {FEWEST_USERS} are needed"
        return _by_levels(_untold(verdict, live, why), window.level, live, stores)
    scores = _scores(live, late, window, stores)
    if scores is None:
        return _untold(verdict, live, "it reads features that are no longer computed"), True
    old, new = ndcg(late, scores), window.new[since]
    gain = paired(new, old, users, stores.settings.training.seed)
    broken, breadths = _breadths(late, scores, since, window, stores.settings.gate)
    stays = gain.worse or bool(broken)
    said = (
        f" On {len(late):,} moments since the live release {live.name} was made, the new one"
        f" reaches {level(new, users):.4f} against its {level(old, users):.4f}: {gain}."
        f" {broken or KEPT_BREADTH}" + (" The live one stays." if stays else "")
    )
    numbers = {"live": level(old, users), "over_live": gain.mean, **breadths}
    told = replace(verdict, sentence=verdict.sentence + said, numbers=verdict.numbers | numbers)
    return told, not stays


def _breadths(
    late: Sequence[RankedList],
    scores: Floats,
    since: Mask,
    window: Window,
    limits: GateSettings,
) -> tuple[str, dict[str, float]]:
    """What first pages give up of the live one's, as a sentence or ""; and what those have."""
    entries = np.repeat(since, [len(each.rows) for each in window.lists])
    own = breadth(late, window.orders[entries], window.items)
    old = breadth(late, scores, window.items)
    # Fewer than ten new items on all pages of ten are luck.
    lost = given_up((own, old), limits, max(SEEN, 1 / len(late)))
    said = f"But its first pages give up too much of the live one's: {'; '.join(lost)}."
    told = {f"live/{name}": round(each, 4) for name, each in old._asdict().items()}
    return said if lost else "", told


def _by_levels(verdict: Verdict, own: float, live: Release, stores: Stores) -> tuple[Verdict, bool]:
    """Hold what would ship against what the live release had reached when it was made.

    Not where that is not known, or something else was asked then.
    """
    told = live.manifest.metrics.get(SHIPPED)
    now, then = stores.settings.training, live.manifest.settings.get("training", {})
    if told is None or any(then.get(name) != getattr(now, name) for name in ASKED):
        return verdict, True
    worse = own < KEPT * told
    said = f" When that was made it reached {told:.4f}, and this one reaches {own:.4f}."
    if worse:
        said += (
            f" That is less than {KEPT:.0%} of it: the live one stays (`palate releases promote`"
            " takes the new one all the same)."
        )
    return replace(verdict, sentence=verdict.sentence + said), not worse


def _untold(verdict: Verdict, live: Release, why: str) -> Verdict:
    said = f" It was not compared with the live release {live.name}: {why}."
    return replace(verdict, sentence=verdict.sentence + said)


def _scores(
    live: Release,
    lists: Sequence[RankedList],
    window: Window,
    stores: Stores,
) -> Floats | None:
    """The live order, end to end; None where it reads what is no longer computed."""
    if live.ranker is None:
        return fusion_scores(lists, window.generators, live.fusion)
    if not set(live.ranker.features) <= set(window.features):
        return None
    which = [window.features.index(name) for name in live.ranker.features]
    value = stores.settings.ranking.value
    told = {head: weight for head, weight in value.items() if head in live.ranker.heads}
    weights = weights_of(told, live.ranker.heads)
    tastes = _Tastes(live.ranker, live.two_tower, with_release(stores, live).columns)
    ranker, orders = live.ranker, []
    for each in lists:
        values = ranker.predict(each.features[:, which], tastes.of(each)) @ weights
        worth = fusion_scores([each], window.generators, live.fusion)
        share = ranker.facts.shares.get(each.visit, 0.0)
        own = ranker.personal(each.rows, values, each.visit)
        orders.append(shared(own, worth, share, ranker.facts.height))
    return np.concatenate(orders)


class _Tastes:
    """Vectors as the live release knows them."""

    def __init__(self, ranker: RankerModel, tower: TwoTower | None, columns: ItemColumns) -> None:
        rows = np.arange(columns.size, dtype=np.int32)
        self.wanted = bool(ranker.facts.vectors)
        self.vectors = compared_vectors(tower, rows, columns)

    def of(self, each: RankedList) -> Taste | None:
        """What the network compares on one list."""
        if not self.wanted:
            return None
        known = each.history < len(self.vectors)
        return Taste(
            self.vectors[each.rows], self.vectors[each.history[known]], each.outcomes[known]
        )
