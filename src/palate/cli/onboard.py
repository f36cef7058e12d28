"""Ask a newcomer to pick a few things they like, or note what they picked."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.output import facts, table_of
from palate.cli.recommend import ask_of, described, program_of, query_of, remark_unfolded
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import BadInput
from palate.serving.routes.onboarding import SURFACE, picked
from palate.stores import close, open_sources, open_stores
from palate.surfaces import funnel

app = typer.Typer()
PickOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pick", "-p", help="An item that they like; may be repeated.", show_default="none"
    ),
]


@app.command()
def main(
    user: Annotated[
        str,
        typer.Option("--user", "-u", help="Id of a user, or session:ID.", show_default="required"),
    ],
    pick: PickOption = None,
    site: SiteOption = Path(),
    limit: Annotated[int, typer.Option(min=1, max=100, help="Items to ask about.")] = 12,
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Print what a newcomer is asked to pick from; with **--pick**, note what they picked.

    Example: **palate onboard --user u1 --pick toy-story --pick heat**
    """
    if pick:
        _note(site, user, pick, as_json=as_json)
        return
    stores = open_stores(settings_of(site))
    remark_unfolded(stores)
    ask = ask_of(user, SURFACE, limit)
    query = query_of(stores, ask, known=False)
    answer = asyncio.run(program_of(stores).steer(funnel(SURFACE, stores), query).answer(query))
    entries = described(stores, ask, query, answer)
    close(stores)
    rows = [(e["position"], e["item_id"], e["title"]) for e in entries]
    table = table_of("Pick a few you like", ("#", "item", "title"), rows)
    facts({"surface": SURFACE, "items": entries}, as_json=as_json, table=table)


def _note(site: Path, user: str, picks: list[str], *, as_json: bool) -> None:
    ask = ask_of(user, SURFACE, 1)
    with open_sources(settings_of(site)) as sources:
        unknown = [
            name for name, item in zip(picks, sources.items.find(picks), strict=True) if not item
        ]
        if unknown:
            raise BadInput(f"--pick: there is no item {', '.join(map(repr, unknown))}")
        now = SystemClock().now()
        done = sources.log.append(picked(ask, picks, now), now)
    told = {"accepted": done.accepted, "duplicates": done.duplicates}
    facts(
        told, as_json=as_json, table=f"{done.accepted} picks noted, {done.duplicates} known before"
    )
