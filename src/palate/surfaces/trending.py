"""Trending: what is on the rise, the same for everyone but for what they sent away.

So nothing rests here for having been shown often: a board is read, not leafed through.
"""

from palate.events.kinds import Signal
from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion
from palate.reranking.explore import Explore
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seen import HideSeen
from palate.retrieval import popular
from palate.retrieval import trending as rising
from palate.retrieval.eligible import Eligible
from palate.stores import Stores

BOARD_FIRST = {"trending": 1.0, "popular": 0.01, "eligible": 0.0001}
"""Popular items only fill up a short board, and anything that may be shown a narrow filter."""


def trending(stores: Stores) -> Funnel:
    """The trending board in its own order; only what the visitor turned down is hidden."""
    return Funnel(
        stores=stores,
        generators=(
            rising.Trending.default(stores),
            popular.Popular.default(stores),
            Eligible.default(stores),
        ),
        filters=(HideSeen(signals=int(Signal.NEGATIVE)), HideMuted(), HidePolicy(stores.columns)),
        ranker=Fusion(BOARD_FIRST),
        rules=(Explore.resting(stores),),
        credit=BOARD_FIRST,
    )
