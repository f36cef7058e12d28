"""More Like This: beside an item, what goes with it."""

from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion
from palate.reranking.diversify import Diversify
from palate.reranking.explore import Explore
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seed import HideSeed
from palate.reranking.hide_seen import HideSeen
from palate.retrieval.content import Content
from palate.retrieval.covisit import Covisit
from palate.retrieval.eligible import Eligible
from palate.retrieval.popular_in_genre import PopularInGenre
from palate.retrieval.two_tower import TwoTower
from palate.stores import Stores

LIKENESS = {
    "covisit": 1.0,
    "two_tower": 0.8,
    "content": 0.6,
    "popular_in_genre": 0.1,
    "eligible": 0.001,
}
"""Likeness decides, not the visitor's taste: taken together first, described alike second."""


def more_like_this(stores: Stores) -> Funnel:
    """Neighbours of `query.seed_item`; nothing without one."""
    return Funnel(
        stores=stores,
        generators=(
            Covisit.default(stores),
            TwoTower.default(stores),
            Content.default(stores),
            PopularInGenre.default(stores),
            Eligible.default(stores),
        ),
        filters=(HideSeed(), HideSeen(), HideMuted(), HidePolicy(stores.columns)),
        ranker=Fusion(LIKENESS),
        rules=(Diversify(strength=0.05), Explore.resting(stores)),
        credit=LIKENESS,
    )
