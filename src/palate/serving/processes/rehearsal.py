"""A worker's first requests are nobody's: the whole path is walked before it says that it is warm.

`warming` runs the funnels of a release; what stands before them (rules, policies, profiles) is a
worker's own, and is run here as for a visitor. Nothing of it is noted, counted or logged.
"""

from contextlib import suppress

from palate.errors import PalateError
from palate.serving.bodies import Ask
from palate.serving.pacing.pacer import Turn
from palate.serving.processes.warming import Asked
from palate.serving.recommend import Recommending, recommendation_id
from palate.serving.runtime import Runtime

MOST = 8
"""Requests of late that are asked again."""
SECONDS = 1.0
"""For each: what takes longer is left out, as it would be for a visitor."""


async def rehearse(runtime: Runtime) -> None:
    """Ask each surface as a stranger, and what was asked of late as who asked it."""
    strangers = [Ask(surface=surface) for surface in runtime.live.funnels]
    known = [_again(each) for each in runtime.watch.asked()[:MOST]]
    hanging = runtime.watch.hanging
    for ask in [*strangers, *known]:
        if ask.surface in hanging:
            continue
        now, draw = runtime.clock.now(), runtime.clock.draw()
        turn = Turn(runtime.pacer, ask.surface, runtime.pacer.timer(), SECONDS)
        with (
            suppress(PalateError),
            hanging.trying(ask.surface),
        ):  # a visitor will be told; a surface may be gone by now
            name = recommendation_id(now, draw)
            asking = Recommending(runtime, ask, name, now, turn)
            await asking.written(await asking.found(draw))


def _again(asked: Asked) -> Ask:
    kind, _, name = asked.visitor.partition(":")
    if kind == "user":
        return Ask(surface=asked.surface, user_id=name)
    return Ask(surface=asked.surface, session_id=name)
