"""Print what a visitor would be shown, as a table with reasons."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from rich.table import Table

from palate.catalog.user import session_key
from palate.cli.output import console, facts, remarked
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import BadInput, NotFound
from palate.funnel.types import Answer, Query
from palate.rules.decode import from_file
from palate.serving.allowed.conditions import Conditions
from palate.serving.allowed.policies import Policies
from palate.serving.allowed.through import let_through
from palate.serving.bodies import Ask
from palate.serving.names import Named
from palate.serving.reasons import deeds, reason_body
from palate.serving.routes.asking import check
from palate.serving.visitors import OLDEST, Visitors, languages, who
from palate.serving.wording.wordings import Wording, Wordings
from palate.stores import Stores, open_rules, open_stores, unfolded
from palate.surfaces import funnel
from palate.surfaces.overrides import certain
from palate.surfaces.steered.program import Program, together

app = typer.Typer()
SESSION = "session:"
WHO = "Id of a user, or session:ID for a visitor without an account."
UserOption = Annotated[str, typer.Option("--user", "-u", help=WHO, show_default="somebody new")]
SurfaceOption = Annotated[str, typer.Option(help="Which page.")]
ContextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        help="NAME=VALUE of the moment, as a request's `context`; may be given several times.",
        show_default="none",
    ),
]
FilterOption = Annotated[
    str, typer.Option("--filter", help="A condition on items, as a request's.", show_default="none")
]
RegionOption = Annotated[
    str, typer.Option(help="ISO country code of the request.", show_default="the user's country")
]
AgeOption = Annotated[
    int | None,
    typer.Option(min=0, max=OLDEST, help="Whole years.", show_default="by the user's birth year"),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="Id of an item that must not come back; may be given several times.",
        show_default="none",
    ),
]
LanguageOption = Annotated[
    str, typer.Option(help="Of the reasons, as de.", show_default="the user's, else the site's")
]


@app.command()
def main(  # noqa: PLR0913, PLR0917  the command's options
    site: SiteOption = Path(),
    user: UserOption = "",
    surface: SurfaceOption = "home",
    item: Annotated[
        str, typer.Option(help="The item on screen, for more_like_this.", show_default="none")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="Entries.")] = 10,
    context: ContextOption = None,
    condition: FilterOption = "",
    region: RegionOption = "",
    age: AgeOption = None,
    exclude: ExcludeOption = None,
    language: LanguageOption = "",
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Print what a user would be shown now, and why. Nothing is logged.

    Example: **palate recommend --user u1 --limit 5**
    """
    stores = open_stores(settings_of(site))
    built = funnel(surface, stores)
    ask = ask_of(
        user,
        surface,
        limit,
        item=item,
        filter=condition,
        context=moment(context),
        region=region,
        age=age,
        exclude=tuple(exclude or ()),
        language=language,
    )
    check(ask, stores.settings.serving.max_limit)
    remark_unfolded(stores)
    query = query_of(stores, ask)
    answer = asyncio.run(certain(program_of(stores).steer(built, query)).answer(query))
    skipped = answer.trace.skipped.items()  # a step says the same again
    remarked(f"{n} was left out: {why}" for n, why in skipped if not n.startswith("step."))
    entries = described(stores, ask, query, answer)
    release = stores.release.name if stores.release else None
    facts(
        {"surface": surface, "step": answer.step, "release": release, "items": entries},
        as_json=as_json,
        table=_table(f"{surface}, step {answer.step}, release {release or 'none yet'}", entries),
    )


def remark_unfolded(stores: Stores) -> None:
    """Say on stderr where the answer is older than the data."""
    waiting = unfolded(stores)
    if waiting:
        told = f"{waiting} have not been taken in yet: run `palate up`, or `palate stream --once`"
        console.print(told, highlight=False)


def ask_of(visitor: str, surface: str, limit: int, **more: Any) -> Ask:
    """What the API would be asked for `visitor`: a user's id, or ``session:ID``.

    `more` are other fields of a request, the item on screen as `item`.
    """
    session = visitor.removeprefix(SESSION) if visitor.startswith(SESSION) else ""
    user, item = "" if session else visitor, more.pop("item", "")
    names = {"user_id": user, "session_id": session, "item_id": item}
    return Ask(surface=surface, limit=limit, **names, **more)


def moment(told: Sequence[str] | None) -> dict[str, Any]:
    """What ``NAME=VALUE`` say: values as JSON where they are that, else as text.

    >>> moment(["device=tv", "hour=21"])
    {'device': 'tv', 'hour': 21}
    """
    return dict(map(_named, told or ()))


def _named(told: str) -> tuple[str, Any]:
    name, equals, value = told.partition("=")
    if not (name and equals):
        raise BadInput(f"--context {told!r}: write NAME=VALUE, as device=tv")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def query_of(stores: Stores, ask: Ask, *, known: bool = True) -> Query:
    """The query that the API would make of `ask`.

    Raises NotFound for an unknown item, and for a user of whom nothing is `known`.
    """
    clock = SystemClock()
    visitors = Visitors(stores.users, stores.online, stores.settings.features, clock)
    visitor, now = visitors.find(ask), clock.now()
    context = {f"context.{name}": each for name, each in ask.context.items()}
    values = {**visitor.values, **context}
    stranger = ask.user_id and not visitor.state.total
    if known and stranger and stores.users.find([ask.user_id])[0] is None:
        raise NotFound(f"there is no user {ask.user_id!r}: neither a profile nor an event")
    excluded = np.unique(stores.items.rows(ask.exclude, create=False))
    policies, conditions = Policies(stores.columns.plain), Conditions(stores.columns.plain)
    through = let_through(policies, conditions, visitor, ask.filter, now, values)
    return Query(
        surface=ask.surface,
        user=visitor.state,
        size=ask.limit,
        now=now,
        draw=session_key(who(ask)) >> 1,
        seed_item=row_of(stores, ask.item_id) if ask.item_id else -1,
        excluded=excluded[excluded >= 0],
        region=visitor.region,
        age=visitor.age,
        follows=visitor.creators(stores.columns),
        muted=visitor.muted(stores.columns),
        matching=asyncio.run(through),
        context=ask.context,
        values=values,
    )


def program_of(stores: Stores) -> Program:
    """The rules of the site, as servers obey them."""
    book = open_rules(stores.settings)
    try:
        rules = together(from_file(stores.settings.rules), book.read().rules)
        placed = book.placed({})
    finally:
        book.close()
    return Program.standing(rules, stores, lambda rule: placed.get(rule, 0))


def row_of(stores: Stores, item_id: str) -> int:
    """The item's row. Raises NotFound."""
    row = int(stores.items.rows([item_id], create=False)[0])
    if row < 0:
        raise NotFound(f"there is no item {item_id!r}: neither in the catalogue nor in an event")
    return row


def names_of(stores: Stores, rows: list[int]) -> dict[int, Named]:
    """Ids and titles by row."""
    ids = stores.items.ids(np.array(rows, np.int32))
    items = stores.items.find(ids)
    return {
        row: Named(name, item.title if item and item.title else name)
        for row, name, item in zip(rows, ids, items, strict=True)
    }


def described(stores: Stores, ask: Ask, query: Query, answer: Answer) -> list[dict[str, Any]]:
    """The slate as people read it."""
    rows = answer.slate.rows.tolist()
    about = {row for reason in answer.reasons for row in reason.rows}
    names = names_of(stores, sorted(about.union(rows)))
    done = deeds(query.user, about, stores.settings.site.viewed)
    words = words_of(stores, ask, query)
    return [
        {
            "position": place,
            "item_id": names[row].item_id,
            "title": names[row].title,
            "score": score,
            "reason": reason_body(reason, names, done, row, words).text,
            "generator": reason.generator,
        }
        for place, (row, score, reason) in enumerate(
            zip(rows, answer.slate.scores.tolist(), answer.reasons, strict=True), 1
        )
    ]


def words_of(stores: Stores, ask: Ask, query: Query) -> Wording:
    """The request's language where there are words for it, else the visitor's, else the site's."""
    settings = stores.settings
    wordings = Wordings.of_site(settings.home, settings.site.language)
    return wordings.of(*languages(ask, query))


def _table(title: str, entries: list[dict[str, Any]]) -> Table | str:
    if not entries:
        return f"{title}: nothing to show; a site needs items that may be shown to this visitor"
    table = Table(title=title, title_justify="left")
    for name in ("#", "item", "title", "score", "reason"):
        table.add_column(name, justify="right" if name in {"#", "score"} else "left")
    for entry in entries:
        table.add_row(
            str(entry["position"]),
            entry["item_id"],
            entry["title"],
            f"{entry['score']:.4f}",
            entry["reason"],
        )
    return table
