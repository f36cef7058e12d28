"""Say where an item was lost on its way to a user's page, and what would have to change."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Group
from rich.table import Table

from palate.cli.output import facts, table_of
from palate.cli.recommend import (
    WHO,
    AgeOption,
    ContextOption,
    ExcludeOption,
    FilterOption,
    LanguageOption,
    RegionOption,
    SurfaceOption,
    ask_of,
    moment,
    names_of,
    program_of,
    query_of,
    remark_unfolded,
    row_of,
    words_of,
)
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.funnel.types import Query
from palate.serving.bodies import Ask
from palate.serving.routes.asking import check
from palate.serving.tracing.whynot import WhyBody, Wondering, follow, why_body
from palate.serving.visitors import who
from palate.stores import Stores, open_stores
from palate.surfaces import funnel
from palate.surfaces.overrides import certain

app = typer.Typer()


@app.command()
def main(  # noqa: PLR0913, PLR0917  the command's options
    user: Annotated[str, typer.Argument(help=WHO)],
    item: Annotated[str, typer.Argument(help="Id of an item.")],
    site: SiteOption = Path(),
    surface: SurfaceOption = "home",
    limit: Annotated[int, typer.Option(min=1, max=100, help="Length of the page.")] = 20,
    seed: Annotated[
        str, typer.Option(help="The item on screen, for more_like_this.", show_default="none")
    ] = "",
    context: ContextOption = None,
    condition: FilterOption = "",
    region: RegionOption = "",
    age: AgeOption = None,
    exclude: ExcludeOption = None,
    language: LanguageOption = "",
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Follow an item through the funnel for one user.

    Example: **palate why u1 i9 --context device=tv**
    """
    stores = open_stores(settings_of(site))
    ask = ask_of(
        user,
        surface,
        limit,
        item=seed,
        filter=condition,
        context=moment(context),
        region=region,
        age=age,
        exclude=tuple(exclude or ()),
        language=language,
    )
    check(ask, stores.settings.serving.max_limit, seed="seed")
    remark_unfolded(stores)
    told = asyncio.run(_follow(stores, ask, query_of(stores, ask), item))
    title = f"{item} for {user} on {surface}"
    facts(
        {"user_id": user, **msgspec.to_builtins(told)},
        as_json=as_json,
        table=_table(title, told),
    )


async def _follow(stores: Stores, ask: Ask, query: Query, item: str) -> WhyBody:
    row = row_of(stores, item)
    steered = program_of(stores).steer(funnel(ask.surface, stores), query)
    found = await follow(certain(steered), query, row)
    about = found.reason.rows if found.reason else ()
    names = names_of(stores, [row, *about])
    asked = Wondering(who(ask), query, row, words_of(stores, ask, query))
    return why_body(stores, asked, found, names)


def _table(title: str, told: WhyBody) -> Group:
    parts: list[str | Table] = [f"{title}: {told.sentence}"]
    parts += [f"why: {told.reason.text}"] if told.reason else []
    parts += [f"what would change it: {told.cure}"] if told.cure else []
    parts += [told.then] if told.then else []
    if told.ranked:
        parts.append(f"ranked {told.ranked} with a score of {told.score:.4f}")
    parts += [f"{name} moved it from {a} to {b}" for name, (a, b) in told.moves.items()]
    if told.costs:
        parts.append(_costs(told))
    return Group(*parts, _votes(told))


def _costs(told: WhyBody) -> Table:
    rows = [
        (each.name, f"{each.value:.4g}", f"{each.shown:.4g}", f"{each.cost:.4f}", each.meaning)
        for each in told.costs
    ]
    return table_of("what costs it most", ("feature", "it", "shown", "cost", "meaning"), rows)


def _votes(told: WhyBody) -> Table:
    rows = [
        (
            name,
            str(vote.rank),
            f"{vote.score:.4f}",
            str(vote.heard or "-"),
            str(vote.needed or "-"),
        )
        if vote
        else (name, "-", "-", "-", "-")
        for name, vote in told.generators.items()
    ]
    return table_of("generators", ("generator", "rank", "score", "proposed at", "needed"), rows)
