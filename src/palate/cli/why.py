"""Say where an item was lost on its way to a user's page, and what would have to change."""

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Group
from rich.table import Table

from palate.cli.output import facts, table_of
from palate.cli.recommend import (
    WHO,
    SurfaceOption,
    ask_of,
    program_of,
    query_of,
    remark_unfolded,
    row_of,
)
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.events.kinds import Signal
from palate.funnel.types import Query
from palate.funnel.whereabouts import Whereabouts, locate
from palate.reranking.hide_policy import HidePolicy
from palate.serving.bodies import Ask
from palate.stores import Stores, open_stores
from palate.surfaces import funnel
from palate.surfaces.overrides import certain

app = typer.Typer()
DEEDS = {Signal.NEGATIVE: "turned down", Signal.POSITIVE: "liked", Signal.TAKEN: "taken in"}


@app.command()
def main(
    user: Annotated[str, typer.Argument(help=WHO)],
    item: Annotated[str, typer.Argument(help="Id of an item.")],
    site: SiteOption = Path(),
    surface: SurfaceOption = "home",
    limit: Annotated[int, typer.Option(min=1, max=100, help="Length of the page.")] = 20,
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Follow an item through the funnel for one user.

    Example: **palate why u1 i9**
    """
    stores = open_stores(settings_of(site))
    remark_unfolded(stores)
    ask = ask_of(user, surface, limit)
    found = asyncio.run(_follow(stores, ask, item))
    told = {"user_id": user, "item_id": item, "surface": surface, **_told(found)}
    facts(told, as_json=as_json, table=_table(f"{item} for {user} on {surface}", found))


async def _follow(stores: Stores, ask: Ask, item: str) -> Whereabouts:
    row = row_of(stores, item)
    query = query_of(stores, ask)
    steered = program_of(stores).steer(funnel(ask.surface, stores), query)
    found = await locate(certain(steered), query, row)
    if found.part == "hide_policy":
        problem = HidePolicy(stores.columns).problem(query, row)
        return replace(found, sentence=f"policy hides it: {problem}")
    if found.part == "hide_seen":
        return replace(found, sentence=f"it counts as seen: {_deeds(query, row)}")
    return found


def _deeds(query: Query, row: int) -> str:
    """What the visitor did with an item, and when last."""
    user = query.user
    bits = int(np.bitwise_or.reduce(user.seen_signals[user.seen == row], initial=0))
    done = [deed for signal, deed in DEEDS.items() if bits & signal]
    last = user.times[user.history == row]
    when = f", last at {_moment(float(last.max()))}" if len(last) else ""
    return f"{' and '.join(done)}{when}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="minutes")


def _told(found: Whereabouts) -> dict[str, Any]:
    return {
        "stage": found.stage,
        "part": found.part,
        "sentence": found.sentence,
        "cure": found.cure,
        "position": found.position or None,
        "ranked": found.ranked or None,
        "score": None if math.isnan(found.score) else found.score,
        "generators": {
            vote.generator: {"rank": vote.rank, "score": vote.score} if vote.rank else None
            for vote in found.votes
        },
        "moves": found.moves,
    }


def _table(title: str, found: Whereabouts) -> Any:
    votes = [
        (vote.generator, str(vote.rank), f"{vote.score:.4f}")
        if vote.rank
        else (vote.generator, "-", "-")
        for vote in found.votes
    ]
    told: list[str | Table] = [f"{title}: {found.sentence}"]
    if found.cure:
        told.append(f"what would change it: {found.cure}")
    if found.ranked:
        told.append(f"ranked {found.ranked} with a score of {found.score:.4f}")
    told += [f"{name} moved it from {a} to {b}" for name, (a, b) in found.moves.items()]
    return Group(*told, table_of("generators", ("generator", "rank", "score"), votes))
