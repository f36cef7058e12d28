"""Read items, users, events or plain histories from a file."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, NamedTuple

import msgspec
import typer

from palate.cli.output import INTERRUPTED, console, facts, progress_bar, say, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import BadInput
from palate.events.kinds import PUBLIC
from palate.intake.histories import read_histories
from palate.intake.importing import AHEAD, ENTITIES, Import, Imported, Progress
from palate.intake.rejects import Rejects
from palate.intake.scale import Scale
from palate.intake.stepping import store_histories
from palate.intake.tables import open_table
from palate.stores import Sources, open_sources

app = typer.Typer()


class What(StrEnum):
    """What a file's rows are."""

    ITEMS = "items"
    USERS = "users"
    EVENTS = "events"
    HISTORIES = "histories"


TELL_EVENTS = {What.EVENTS, What.HISTORIES}


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command(name="import")
def import_(  # noqa: PLR0913  one parameter per option is Typer's form
    what: Annotated[What, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="CSV, JSONL (both maybe gzipped) or Parquet.")],
    *,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            "-m",
            help="field=column; give it once per field.",
            metavar="F=C",
            show_default="a field is the column of its name",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"The kind of all events: {', '.join(PUBLIC)}.",
            show_default="the column `kind`; of histories, view",
        ),
    ] = None,
    create_items: Annotated[
        bool,
        typer.Option("--create-items", help="Put items that events name and nobody imported."),
    ] = False,
    format_: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="What the file is.", show_default="told by its name"),
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="From the worst rating to the best: 1..10, 0..1, 6..1.",
            metavar="LOW..HIGH",
            show_default="1..5",
        ),
    ] = "",
    separator: Annotated[
        str,
        typer.Option(
            help="Between CSV cells: , or ; or tab or ::", show_default=", and in .tsv tab"
        ),
    ] = "",
    encoding: Annotated[str, typer.Option(help="utf-8, latin-1, …")] = "utf-8",
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="Where rows that were left out go.",
            show_default="FILE.rejects.jsonl, if there are any",
        ),
    ] = None,
    site: SiteOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Read items, users, events or plain histories from a file.

    Fields of **items**: item_id, kind, title, text, categories, tags, creator_id, published_at,
    expires_at, hidden, regions, min_age, embedding; of **users**: user_id, country, language,
    birth_year, follows, likes; of **events**: kind, user_id or session_id, item_id, time, value,
    event_id, surface, position. Ids, and an event's kind and time, are needed.

    A column that is called like a field is that field; **--map** names the others, and what is
    left becomes free attributes (of events: properties). A list is written `a|b` in CSV, an
    embedding `0.5|-1`, all of one width. A time is RFC 3339, a date, or a number: seconds since
    1970 where that falls between 1900 and 2200, else milliseconds. A time without a zone is UTC.

    **histories** is for files that say who took what in which order, and nothing else: `user,item`,
    `user,item,order` or `user,item,time`, with or without a first line of names, or a line a user,
    `user item item …`. Where the file has none, times are made up, a day a step. Items are put
    into the catalogue.

    Ratings are stars: of 1 to 5, 4 and more is liked, 2 and less is disliked. Of another scale,
    **--scale** says where it begins and ends (`0..1` for thumbs); a file whose ratings cannot be
    stars is refused without it.

    A row that is wrong is left out and named, with its line, in the rejects file; a file that is
    wrong as a whole is refused before anything is written. An item or user that is held already
    becomes what the file says of it, and loses what the file does not say.

    Running an import again adds nothing. One that was interrupted keeps what it wrote; the same
    command reads the file from its beginning and writes what is not there yet. Events are written
    when all are read, in the order of their times.

    Example: **palate import events ratings.csv --kind rating --map user_id=userId
    --map item_id=movieId --map value=rating --map time=timestamp --rejects bad.jsonl**
    """
    _check(what, kind, create_items=create_items, scale=scale)
    started = perf_counter()
    settings = settings_of(site)
    source = _Source(file, format_ and format_.value, separator, encoding)
    with open_sources(settings) as to, progress_bar() as bar, Rejects(rejects, file) as left_out:
        reached = _Reached(bar)
        to_do = _Import(source, map_ or (), to, left_out, reached)
        how = Scale.parsed(scale) if scale else None
        try:
            imported = to_do.run(what, kind, create_items=create_items, scale=how)
        except KeyboardInterrupt:
            say(reached.sentence())
            sys.exit(INTERRUPTED)
    _tell(imported, left_out, perf_counter() - started, as_json=as_json)
    if imported.rejected == imported.rows:
        raise typer.Exit(1)


def _check(what: What, kind: str | None, *, create_items: bool, scale: str) -> None:
    if scale and what is not What.EVENTS:
        raise BadInput("--scale is for events: it says what their ratings mean")
    if kind and (what not in TELL_EVENTS or kind not in PUBLIC):
        raise BadInput(f"--kind is for events, and one of: {', '.join(PUBLIC)}")
    if create_items and what is not What.EVENTS:
        raise BadInput("--create-items is for events (histories always make their items)")


class _Reached:
    """How far an import came, for whoever interrupts it."""

    def __init__(self, tell: Progress) -> None:
        self._tell, self._last = tell, ("", 0, 0)

    def __call__(self, doing: str, done: int, total: int) -> None:
        self._last = (doing, done, total)
        self._tell(doing, done, total)

    def sentence(self) -> str:
        """What is written, and what the same command does next time."""
        doing, done, total = self._last
        if doing == "storing":
            kept = f"at least {done:,} of {total:,} events are written"
        elif doing == "importing":
            kept = f"of {done:,} of {total:,} rows all but the last {ENTITIES:,} are written"
        else:
            where = f" at row {done:,} of {total:,}" if done else ""
            return f"palate: stopped{where}, before an event was written: to be begun again"
        return f"palate: stopped; {kept}, and the same command adds the rest"


class _Source(NamedTuple):
    """A file and how it is written."""

    path: Path
    format: str | None
    separator: str
    encoding: str


@dataclass(frozen=True, slots=True)
class _Import:
    """One file on its way in."""

    source: _Source
    pairs: Sequence[str]
    to: Sources
    left_out: Rejects
    tell: Progress

    def run(
        self, what: What, kind: str | None, *, create_items: bool, scale: Scale | None
    ) -> Imported:
        """Read it as what it is said to be."""
        if what is What.HISTORIES:
            return self._histories(kind or "view")
        path, format_, separator, encoding = self.source
        table = open_table(path, format_, separator=separator, encoding=encoding)
        job = Import(table, self.pairs, self.to, self.left_out, self.tell, SystemClock())
        if what is What.ITEMS:
            return job.items()
        if what is What.USERS:
            return job.users()
        return job.events(kind, create_items=create_items, scale=scale)

    def _histories(self, kind: str) -> Imported:
        path, format_, separator, encoding = self.source
        if format_ not in {None, "csv"}:
            raise BadInput("histories are read from text: leave --format out")
        clock = SystemClock()
        found = read_histories(
            path,
            self.pairs,
            self.left_out,
            separator=separator,
            encoding=encoding,
            latest=clock.now() + AHEAD,
        )
        new, made = store_histories(found, kind, self.to, clock, self.tell)
        bad = self.left_out.count
        known = found.rows - bad - new
        return Imported(
            "histories", str(path), found.rows, new, known, bad, made, remarks=found.remarks
        )


def _tell(imported: Imported, left_out: Rejects, seconds: float, *, as_json: bool) -> None:
    file = str(left_out.path) if left_out.path and left_out.path.exists() else None
    told = msgspec.to_builtins(imported) | {"rejects": file, "seconds": round(seconds, 3)}
    rows = [[k, value] for k, value in told.items() if value is not None and k != "remarks"]
    facts(told, as_json=as_json, table=table_of("", ["import", ""], rows))
    if imported.unlisted:
        console.print(
            f"{imported.unlisted:,} items of these events are not in the catalogue and are never"
            " shown: import them as items, or say --create-items",
            style="yellow",
            highlight=False,
        )
    for remark in imported.remarks:
        console.print(f"palate: {remark}", style="yellow", highlight=False, markup=False)
    for line in left_out.first:
        console.print(f"left out: {line}", highlight=False, markup=False)
    more = left_out.count - len(left_out.first)
    if more:
        console.print(f"… and {more} more; {file} lists them", highlight=False, markup=False)
