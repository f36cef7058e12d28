"""Watch a running site: answers, latency, stages, lag, quality, queues, every two seconds."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep
from typing import Annotated

import httpx
import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from palate.cli.listening import found_address
from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.errors import Unavailable
from palate.serving.observing.summary import Samples, Summary, read, summary

STAGES = 15
"""Rows of the table of stages."""

app = typer.Typer()


@app.command()
def main(
    site: SiteOption = Path(),
    url: Annotated[
        str, typer.Option(help="Of a server.", show_default="the one that serves the site")
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.1, help="Between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, and out.")] = False,  # noqa: FBT002  Typer's form
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Watch a running site: answers, latency, stages, lag, quality, queues.

    Example: **palate top**

    Numbers are of all workers, since the last look. `--once --json` is for programs.
    """
    where = url or found_address(settings_of(site))
    if once or as_json:
        before, started = _look(where), perf_counter()
        sleep(seconds)
        found = summary(before, _look(where), perf_counter() - started)
        facts(found._asdict(), as_json=as_json, table="" if as_json else _screen(where, found))
        return
    with suppress(KeyboardInterrupt), Live(auto_refresh=False, screen=True) as screen:
        for shown in screens(where):
            screen.update(shown, refresh=True)
            sleep(seconds)


def screens(where: str) -> Iterator[RenderableType]:
    """What is to be seen at each look, for ever: also while the server does not answer."""
    before, started = None, 0.0
    while True:
        try:
            after, now = _look(where), perf_counter()
        except Unavailable as error:
            before = None
            yield Text(f"not answering (looking again): {error.detail}")
            continue
        if before is None:
            yield Text(f"{where} answers; the next look has numbers")
        else:
            yield _screen(where, summary(before, after, now - started))
        before, started = after, now


def _look(where: str) -> Samples:
    try:
        answer = httpx.get(f"{where}/metrics", timeout=5.0, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        problem = f"{where}/metrics does not answer ({error}); is `palate serve` running there?"
        raise Unavailable(problem) from error
    return read(answer.text)


def _screen(where: str, found: Summary) -> Group:
    head = ("", "a second", "p50 ms", "p99 ms")
    title = f"{where}: answers by rung"
    answers: RenderableType = table_of(title, head, found.answers)
    stages: RenderableType = table_of("stages, the most costly first", head, found.stages[:STAGES])
    if not found.answers:
        answers, stages = f"{title}: nothing yet\n", ""
    rest = Table(show_header=False, title="the rest", title_justify="left")
    for told in (found.rates, found.gauges, found.shares):
        for name, value in told.items():
            rest.add_row(name.replace("_", " "), f"{value:,.3g}")
    return Group(answers, stages, rest)
