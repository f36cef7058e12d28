"""Make a new site: a folder with a commented palate.toml."""

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.output import console
from palate.errors import BadInput, Conflict
from palate.settings import FILE
from palate.template import template

app = typer.Typer()


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The folder to make (it may exist).")],
) -> None:
    """Make a new site: a folder with a commented palate.toml.

    The file shows every setting with its meaning and its default. A palate.toml that was changed
    is never overwritten.

    Example: **palate init my-site && cd my-site && palate data movielens-100k**
    """
    file = directory / FILE
    text = template()
    if file.exists():
        if file.read_bytes() != text.encode():
            raise Conflict(f"{file} exists and was changed; it stays as it is")
        console.print(f"{file} is there already", highlight=False)
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise BadInput(f"cannot make {file}: {error.strerror}") from error
    console.print(f"{file} written; next: cd {directory} && palate import …", highlight=False)
