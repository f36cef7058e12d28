"""Check what a site needs to start: settings, stores, rules, plug-ins, surfaces, pages, words."""

from pathlib import Path

import typer

from palate.cli.output import REMARK, say
from palate.cli.site import SiteOption, settings_of
from palate.serving.observing.installed import check
from palate.serving.wording.wordings import Wordings
from palate.settings import Settings
from palate.stores import adapter, close, open_stores
from palate.surfaces import funnels

app = typer.Typer()


@app.command()
def main(site: SiteOption = Path()) -> None:
    """Check everything that `palate up` and `palate serve` need of a site, and start nothing.

    Example: **palate check --site shop**

    What is wrong is told in one line, with exit code 2.
    """
    settings = settings_of(site)
    built = checked(settings)
    typer.echo(f"{settings.site.name} can start: {', '.join(built)}")


def _look_at_language(settings: Settings) -> None:
    language = settings.site.language
    there = Wordings.of_site(settings.home, language).by_language
    if not {language, language.replace("_", "-").partition("-")[0].lower()} & there.keys():
        say(
            f"{REMARK}[site] language = {language!r} has no words for reasons, which will be"
            f" English; there are {', '.join(there)}, and wording/{language}.toml would bring it"
        )


def checked(settings: Settings) -> list[str]:
    """The surfaces that a worker would answer with. Raises what would keep one from starting."""
    check(settings.serving)
    adapter("rules", settings.stores.rules, {"sqlite": Path}, settings)
    _look_at_language(settings)
    stores = open_stores(settings)
    try:
        return list(funnels(stores))
    finally:
        close(stores)
