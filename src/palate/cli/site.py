"""Which site a command is about: `--site DIR`, else the current folder."""

import os
from pathlib import Path
from typing import Annotated

import typer

from palate.rules.decode import from_file
from palate.settings import Settings
from palate.settings_files import load

SiteOption = Annotated[
    Path, typer.Option("--site", "-s", help="The site's folder (it holds palate.toml).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def settings_of(site: Path) -> Settings:
    """The site's settings, with the environment laid over them."""
    settings = load(site, os.environ)
    from_file(settings.rules)
    return settings
