"""Check what a site needs to start: settings, stores, rules, plug-ins, surfaces, pages, words."""

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.output import REMARK, remarked, say
from palate.cli.recommend import program_of
from palate.cli.site import SiteOption, settings_of
from palate.errors import BadInput, Problem
from palate.serving.observing.installed import check
from palate.serving.wording.wordings import Wordings
from palate.settings import Settings
from palate.stores import Stores, adapter, close, open_stores
from palate.surfaces import funnels, plugins
from palate.surfaces.steered.unmatched import unmatched

app = typer.Typer()


StartingOption = Annotated[
    bool,
    typer.Option("--starting", hidden=True, help="What keeps no start is only remarked upon."),
]


@app.command()
def main(
    site: SiteOption = Path(),
    starting: StartingOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Check everything that `palate up` and `palate serve` need of a site, and start nothing.

    Example: **palate check --site shop**

    What is wrong is told in one line, with exit code 2: rules that do not act as they are written
    and plug-ins that break, too, though a site starts with them.
    """
    settings = settings_of(site)
    built = checked(settings, starting=starting)
    typer.echo(f"{settings.site.name} can start: {', '.join(built)}")


def _look_at_language(settings: Settings) -> None:
    language = settings.site.language
    there = Wordings.of_site(settings.home, language).by_language
    if not {language, language.replace("_", "-").partition("-")[0].lower()} & there.keys():
        say(
            f"{REMARK}[site] language = {language!r} has no words for reasons, which will be"
            f" English; there are {', '.join(there)}, and wording/{language}.toml would bring it"
        )


def _look_at_rules(stores: Stores, *, starting: bool) -> None:
    """Raise BadInput for rules that do not act as they are written.

    A start goes on, for events are taken and other pages shown; so does a site of which no item was
    folded in yet, since most of what a condition may name comes with the first ones.
    """
    columns = stores.columns
    program = program_of(stores)
    unfit = {f"rule {name}": why for name, why in program.unfit().items()}
    if unfit and not starting and columns.servable[: columns.size].any():
        raise BadInput.of([Problem(name, why) for name, why in unfit.items()])
    doubts = [] if starting else [line for e in program.made for line in unmatched(e, stores)]
    remarked((*program.remarks(), *doubts))


def _look_at_plugins(settings: Settings, *, starting: bool) -> None:
    """Raise BadInput for plug-ins that break; a start goes on without them."""
    broken = plugins.left_out(settings.plugins)
    if broken and not starting:
        raise BadInput("; ".join(broken), [Problem("/plugins", each) for each in broken])
    remarked(broken)


def checked(settings: Settings, *, starting: bool = False) -> list[str]:
    """The surfaces that a worker would answer with. Raises what would keep one from starting."""
    check(settings.serving)
    adapter("rules", settings.stores.rules, {"sqlite": Path}, settings)
    _look_at_language(settings)
    stores = open_stores(settings)
    try:
        with plugins.unlogged():
            built = list(funnels(stores))
        _look_at_plugins(settings, starting=starting)
        _look_at_rules(stores, starting=starting)
        return built
    finally:
        close(stores)
