"""The `palate` command: finds its commands by their files and imports only the one that is asked for.

A command is a module of this package that defines a Typer app called ``app``; a trailing underscore
in its name is dropped (`import_.py` is ``palate import``).
"""

import ast
import sys
from importlib import import_module
from pathlib import Path

import click
import typer
from typer.core import TyperGroup
from typer.main import get_command

import palate
from palate.errors import PalateError

HERE = Path(__file__).parent
NOT_COMMANDS = {"__init__", "__main__", "app", "output", "site"}


class LazyCommands(TyperGroup):
    """Loads a command's module when it is called: `palate serve` never imports a trainer."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(p.stem.rstrip("_") for p in HERE.glob("*.py") if p.stem not in NOT_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        if len(sys.argv) < 2 or cmd_name not in sys.argv:  # noqa: PLR2004  the list of commands only
            return click.Command(cmd_name, help=_summary(cmd_name))
        command = get_command(import_module(f"palate.cli.{_module(cmd_name)}").app)
        command.name = cmd_name
        return command


def _module(command: str) -> str:
    return command if (HERE / f"{command}.py").exists() else f"{command}_"


def _summary(command: str) -> str:
    text = (HERE / f"{_module(command)}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),  # noqa: FBT001, FBT003  Typer's form
) -> None:
    """A self-hosted recommendation engine: candidates, ranking, re-ranking, live.

    Start here: **palate demo**, or **palate init DIR**.
    """
    if version:
        typer.echo(f"palate {palate.__version__}")
        raise typer.Exit


def main() -> None:
    """Run, and turn what went wrong on purpose into one line and an exit code."""
    try:
        app()
    except PalateError as error:
        typer.echo(f"palate: {error.detail}", err=True)
        sys.exit(error.exit_code)
