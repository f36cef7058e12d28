"""Measure speed: list the programs of the repository's bench/ folder, or run one."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import palate
from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption
from palate.errors import NotFound

FOLDER = Path(palate.__file__).resolve().parents[2] / "bench"

app = typer.Typer()

NameArgument = Annotated[str, typer.Argument(help="Which program; none lists them.")]


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def main(
    context: typer.Context,
    name: NameArgument = "",
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Measure speed: list the programs of the repository's bench/ folder, or run one.

    What follows the name goes to the program, whose exit code is this command's.

    Example: **palate bench funnel --items 10000**
    """
    programs = _programs()
    if not name:
        lines = [(each, summary) for each, summary in programs.items()]
        facts(programs, as_json=as_json, table=table_of("bench", ("program", "measures"), lines))
        return
    if name not in programs:
        raise NotFound(f"there is no {FOLDER / name}.py; there are {', '.join(programs)}")
    told = [*context.args, *(["--json"] if as_json else [])]
    done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), *told], check=False)  # noqa: S603  our own programs
    raise typer.Exit(done.returncode)


def _programs() -> dict[str, str]:
    """Name -> what it measures, of every program there is.

    Raises NotFound where there is no repository around this installation.
    """
    files = sorted(file for file in FOLDER.glob("*.py") if not file.stem.startswith("_"))
    programs = {file.stem: _summary(file) for file in files}
    programs = {name: summary for name, summary in programs.items() if summary}
    if not programs:
        raise NotFound(
            f"the benchmarks are programs of the repository and not part of the wheel: clone it and"
            f" run them there (looked in {FOLDER})"
        )
    return programs


def _summary(file: Path) -> str:
    """First line of its docstring; nothing where it is not a program."""
    tree = ast.parse(file.read_text("utf-8"))
    runs = any(
        isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body
    )
    return (ast.get_docstring(tree) or "").partition("\n")[0] if runs else ""
