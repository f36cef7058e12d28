"""The `palate` command: finds its commands by file, and imports only the one that is asked for.

A command is a module of this package that defines a Typer app called ``app``; a trailing underscore
in its name is dropped (`import_.py` is ``palate import``), an underscore inside is a dash.
"""

import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import palate
from palate.cli.launching import settle
from palate.cli.output import INTERRUPTED
from palate.errors import PalateError

HERE = Path(__file__).parent
STOPPED = "palate: stopped"
NOT_COMMANDS = {
    "__init__",
    "__main__",
    "app",
    "launching",
    "learning",
    "listening",
    "output",
    "site",
    "starting",
}


class LazyCommands(TyperGroup):
    """Loads a command's module when it is called: `palate serve` never imports a trainer."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(_modules())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command's name and summary, enough for the list."""
        module = _modules().get(cmd_name)
        return None if module is None else TyperCommand(cmd_name, help=_summary(module))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, now that it is called."""
        name, stub, rest = super().resolve_command(ctx, args)
        if stub is None or stub.name is None:
            return name, stub, rest
        command = get_command(_framed(import_module(f"palate.cli.{_modules()[stub.name]}").app))
        command.name = stub.name
        return name, command, rest


def _framed(command: typer.Typer) -> typer.Typer:
    """A command's app with the manners of the whole: Markdown in its help, no shell completion."""
    framed = typer.Typer(
        add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
    )
    framed.info = command.info
    framed.registered_callback = command.registered_callback
    framed.registered_commands = command.registered_commands
    framed.registered_groups = command.registered_groups
    return framed


def _modules() -> dict[str, str]:
    """Command name -> module name."""
    stems = [p.stem for p in HERE.glob("*.py") if p.stem not in NOT_COMMANDS]
    return {stem.rstrip("_").replace("_", "-"): stem for stem in stems}


def _summary(module: str) -> str:
    text = (HERE / f"{module}.py").read_text("utf-8")
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


def start() -> None:
    """What the command is: `main` in a process that is set up for what it does."""
    settle(sys.argv[1:])
    main()


def main() -> None:
    """Run, and turn what went wrong on purpose into one line and an exit code."""
    try:
        code = app(standalone_mode=False, prog_name="palate")
    except PalateError as error:
        typer.echo(f"palate: {error.detail}", err=True)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        sys.exit(_usage(error))
    except (typer.Abort, KeyboardInterrupt):
        typer.echo(STOPPED, err=True)
        sys.exit(INTERRUPTED)
    if code == INTERRUPTED:  # as Typer answers Ctrl-C
        typer.echo(STOPPED, err=True)
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Any) -> int:
    """Say in one line how the command was misused; without arguments it has told its help."""
    told = " ".join(error.format_message().split()).replace("Value error, ", "")
    if told:
        where = error.ctx.command_path if getattr(error, "ctx", None) else "palate"
        typer.echo(f"palate: {told.rstrip('.')}; see `{where} --help`", err=True)
    return int(error.exit_code)
