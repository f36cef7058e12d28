"""Onboarding: "pick a few you like", the items whose choice tells most of a newcomer's taste."""

from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seen import HideSeen
from palate.reranking.representative import Representative
from palate.retrieval.anything import Anything
from palate.retrieval.eligible import Eligible
from palate.retrieval.popular import Popular
from palate.retrieval.popular_in_region import PopularInRegion
from palate.retrieval.popular_in_segment import PopularInSegment
from palate.stores import Stores

WELL_KNOWN = {
    "popular_in_segment": 1.0,
    "popular_in_region": 1.0,
    "popular": 1.0,
    "eligible": 0.01,
    "anything": 0.001,
}
"""People can only pick what they know; the rest fills the page of a site without events."""
POOL = 150
"""How far down popularity a pick may lie: deep enough for every corner of a taste."""


def onboarding(stores: Stores) -> Funnel:
    """What many know, spread over all tastes; it asks, so it is not logged as shown."""
    return Funnel(
        stores=stores,
        generators=(
            PopularInSegment.default(stores),
            PopularInRegion.default(stores),
            Popular.default(stores),
            Eligible.default(stores),
            Anything.default(stores),
        ),
        filters=(HideSeen(), HideMuted(), HidePolicy(stores.columns)),
        ranker=Fusion(WELL_KNOWN),
        rules=(Representative.default(stores),),
        pool=POOL,
        shortlist=POOL,
        reserve=0,
        credit=WELL_KNOWN,
    )
