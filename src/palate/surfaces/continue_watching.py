"""Continue Watching: what the visitor began and did not end."""

from palate.events.kinds import Signal
from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seen import HideSeen
from palate.retrieval.unfinished import Unfinished
from palate.stores import Stores

LATEST_FIRST = {"unfinished": 1.0}


def continue_watching(stores: Stores) -> Funnel:
    """The newest first; sites whose views tell no watched fraction get an empty row."""
    return Funnel(
        stores=stores,
        generators=(Unfinished.default(stores),),
        filters=(HideSeen(signals=int(Signal.NEGATIVE)), HideMuted(), HidePolicy(stores.columns)),
        ranker=Fusion(LATEST_FIRST),
        rules=(),
        credit=LATEST_FIRST,
    )
