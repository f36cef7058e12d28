"""How commands speak: tables for people, one JSON object for programs."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import msgspec
import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console(stderr=True, soft_wrap=not sys.stderr.isatty())
"""Progress and remarks go to stderr; facts go to stdout. In a log lines stay whole."""
REMARK = "remark: "
"""What a line begins with that keeps nothing from starting."""
INTERRUPTED = 130
"""The exit code of what was stopped by Ctrl-C."""
SILENT = 10.0
"""Seconds between two lines of progress, where there is no terminal."""


def say(line: str, style: str = "") -> None:
    """Remark something as it is: one line, however narrow the terminal or the file."""
    console.print(line, style=style or None, markup=False, highlight=False, soft_wrap=True)


def remarked(lines: Iterable[str]) -> None:
    """Say what is wrong and keeps nothing from going on, a line each."""
    for each in lines:
        say(f"{REMARK}{each}")


def facts(data: object, *, as_json: bool, table: RenderableType) -> None:
    """Print `data` as JSON, or `table` for people."""
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(data, order="deterministic"), indent=2))
    else:
        # Titles and settings have brackets of their own: "[REC]", "[training]".
        Console(markup=False).print(table)


def table_of(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table with right-aligned numbers."""
    table = Table(title=title, title_justify="left")
    for column, name in enumerate(head):
        numbers = rows and all(isinstance(r[column], int | float) for r in rows)
        table.add_column(name, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row))
    return table


class Lines:
    """Progress in lines: one every few seconds, so that what is quick says nothing."""

    def __init__(self, timer: Callable[[], float] = monotonic) -> None:
        self._timer = timer
        self._next = timer() + SILENT

    def __call__(self, doing: str, done: int, total: int) -> None:
        if self._timer() >= self._next:
            self._next = self._timer() + SILENT
            say(f"{doing}: {done:,} of {total:,}")


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, moved by calling (what is being done, how much is done, of how much).

    Where there is no terminal, a line now and then.
    """
    if not console.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True)
    tasks = {}
    with bar:

        def tell(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bar.add_task(doing)
            bar.update(tasks[doing], completed=done, total=total)

        yield tell
