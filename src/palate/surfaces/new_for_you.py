"""New For You: what came in last, in the order of this visitor's taste."""

from palate.funnel.engine import Funnel
from palate.ranking.network import best_ranker
from palate.reranking.explore import Explore
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seen import HideSeen
from palate.reranking.rest_shown import RestShown
from palate.reranking.spreading import spread_of, spreading
from palate.retrieval.fresh import Fresh
from palate.stores import Stores
from palate.surfaces import plugins

NEWEST = {"fresh": 1.0}


def new_for_you(stores: Stores) -> Funnel:
    """The newest 150 by date and likeness, then ranked as Home ranks."""
    return Funnel(
        stores=stores,
        generators=(Fresh.default(stores),),
        filters=(HideSeen(), HideMuted(), HidePolicy(stores.columns)),
        ranker=plugins.ranker(stores) or best_ranker(stores),
        rules=(
            RestShown(),
            *spreading(spread_of(stores)),
            Explore.resting(stores),
        ),
        pool=150,
        credit=NEWEST,
    )
