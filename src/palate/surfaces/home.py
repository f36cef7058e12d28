"""Home: the page a visitor lands on."""

from palate.funnel.engine import Funnel
from palate.funnel.merge import Admission
from palate.funnel.stages import Generator
from palate.ranking.fusion import Fusion
from palate.ranking.network import best_ranker
from palate.reranking.boost_fresh import BoostFresh
from palate.reranking.explore import Explore
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seen import HideSeen
from palate.reranking.rest_shown import RestShown
from palate.reranking.spreading import spread_of, spreading
from palate.retrieval.anything import Anything
from palate.retrieval.content import Content
from palate.retrieval.covisit import Covisit
from palate.retrieval.followed import Followed
from palate.retrieval.fresh import Fresh
from palate.retrieval.ials import Ials
from palate.retrieval.linear import Linear
from palate.retrieval.popular import Popular
from palate.retrieval.popular_in_genre import PopularInGenre
from palate.retrieval.popular_in_region import PopularInRegion
from palate.retrieval.popular_in_segment import PopularInSegment
from palate.retrieval.together import Together
from palate.retrieval.trending import Trending
from palate.retrieval.two_tower import TwoTower
from palate.stores import Stores
from palate.surfaces import plugins


def home(stores: Stores) -> Funnel:
    """What this visitor would like next, with room for the new and the unknown."""
    return Funnel(
        stores=stores,
        generators=generators(stores),
        filters=(HideSeen(), HideMuted(), HidePolicy(stores.columns)),
        ranker=plugins.ranker(stores) or best_ranker(stores),
        rules=(
            RestShown(),
            BoostFresh(lift=0.2),
            *spreading(spread_of(stores)),
            Explore.default(stores),
        ),
        credit=Fusion.default(stores).weights,
        admission=admission_of(stores),
    )


def admission_of(stores: Stores) -> Admission:
    """Who gets into Home's pool: by what training found, and by the settings' quotas."""
    found = stores.release.admitted if stores.release else {}
    return Admission.found(found, stores.settings.retrieval.quotas)


def generators(stores: Stores) -> tuple[Generator, ...]:
    """Everything that may know what this visitor would like; training asks the same ones."""
    return (
        TwoTower.default(stores),
        Covisit.default(stores),
        Linear.default(stores),
        Ials.default(stores),
        Together.default(stores),
        PopularInSegment.default(stores),
        PopularInRegion.default(stores),
        Popular.default(stores),
        Followed.default(stores),
        Content.default(stores),
        PopularInGenre.default(stores),
        Trending.default(stores),
        Fresh.default(stores),
        Anything.default(stores),
        *plugins.generators(stores),
    )
