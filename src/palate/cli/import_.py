"""Read items, users or events from a CSV, JSONL or Parquet file."""

from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated

import msgspec
import typer

from palate.cli.output import console, facts, progress_bar, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import BadInput
from palate.events.kinds import PUBLIC
from palate.intake.importing import Import, Imported
from palate.intake.rejects import Rejects
from palate.intake.tables import open_table
from palate.stores import open_sources

app = typer.Typer()


class What(StrEnum):
    """What a file's rows are."""

    ITEMS = "items"
    USERS = "users"
    EVENTS = "events"


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command(name="import")
def import_(  # noqa: PLR0913  one parameter per option is Typer's form
    what: Annotated[What, typer.Argument(help="What the rows are.")],
    file: Annotated[Path, typer.Argument(help="CSV, JSONL (both maybe gzipped) or Parquet.")],
    *,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", help="field=column; give it once per field.", metavar="F=C"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"The kind of all events: {', '.join(PUBLIC)}.")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", "-f", help="Told from the file's name if absent.")
    ] = None,
    separator: Annotated[
        str, typer.Option(help="Between CSV cells: , or ; or tab or :: (absent: , or tab in .tsv).")
    ] = "",
    encoding: Annotated[str, typer.Option(help="utf-8, latin-1, …")] = "utf-8",
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rows that were left out go; absent: FILE.rejects.jsonl, if any."),
    ] = None,
    site: SiteOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Read items, users or events from a CSV, JSONL or Parquet file.

    A column that is called like a field is that field; **--map** names the others, and what is
    left becomes free attributes (of events: properties). A list is written `a|b` in CSV. A time is
    RFC 3339, a date, or a number: seconds since 1970 where that falls between 1900 and 2200, else
    milliseconds. A time without a zone is UTC.

    A row that is wrong is left out and named, with its line, in the rejects file; a file that is
    wrong as a whole is refused before anything is written. Running an import again adds nothing;
    one that was interrupted goes on where it stopped.

    Example: **palate import events ratings.csv --kind rating --map user_id=userId
    --map item_id=movieId --map value=rating --map time=timestamp --rejects bad.jsonl**
    """
    if kind and (what is not What.EVENTS or kind not in PUBLIC):
        raise BadInput(f"--kind is for events, and one of: {', '.join(PUBLIC)}")
    started = perf_counter()
    settings = settings_of(site)
    table = open_table(file, format_ and format_.value, separator=separator, encoding=encoding)
    with open_sources(settings) as to, progress_bar() as bar, Rejects(rejects, file) as left_out:
        job = Import(table, map_ or (), to, left_out, bar, SystemClock())
        imported = _import(job, what, kind)
    _tell(imported, left_out, perf_counter() - started, as_json=as_json)
    if imported.rejected == imported.rows:
        raise typer.Exit(1)


def _import(job: Import, what: What, kind: str | None) -> Imported:
    if what is What.ITEMS:
        return job.items()
    return job.users() if what is What.USERS else job.events(kind)


def _tell(imported: Imported, left_out: Rejects, seconds: float, *, as_json: bool) -> None:
    file = str(left_out.path) if left_out.path and left_out.path.exists() else None
    told = msgspec.to_builtins(imported) | {"rejects": file, "seconds": round(seconds, 3)}
    rows = [[name, value] for name, value in told.items() if value is not None]
    facts(told, as_json=as_json, table=table_of("", ["import", ""], rows))
    for line in left_out.first:
        console.print(f"left out: {line}", highlight=False, markup=False)
    more = left_out.count - len(left_out.first)
    if more:
        console.print(f"… and {more} more; {file} lists them", highlight=False, markup=False)
