"""List every feature that the ranker reads: what it says, where it comes from, what it is worth."""

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption, settings_of
from palate.features.measured import Measured, read_measured
from palate.features.page import facts_of, page
from palate.features.vector import chosen, offered
from palate.funnel.facts import heard
from palate.releases.directory import ReleaseDirectory
from palate.surfaces.home import generators
from palate.testing.tiny import tiny_stores

app = typer.Typer()
ABOUT = """*Missing*: share of held-out candidates for which there was nothing to go by.
*Importance*: what NDCG@10 lost on held-out moments when the number was shuffled among their
candidates; a thousandth or two either way is chance. Numbers that say the same stand in for each
other, so each of them is worth little by itself. The page in the repository tells them of
MovieLens-100K."""
MeasuredOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        "-s",
        help="A site whose live release tells what each is worth.",
        show_default="none",
    ),
]
PageOption = Annotated[bool, typer.Option("--page", help="Print it as Markdown: docs/features.md.")]


@app.command()
def main(
    site: MeasuredOption = None,
    as_page: PageOption = False,  # noqa: FBT002  Typer's form
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """List the features by subject, with the share of missing and the importance where measured.

    Example: **palate features --page > docs/features.md**
    """
    release, measured = _measured(site)
    names = offered(heard(generators(tiny_stores())))
    if as_page:
        typer.echo(page(names, measured, _about(measured)), nl=False)
        return
    told = [facts_of(feature, measured) for feature in chosen(names)]
    columns = ("name", "meaning", "unit", "missing", "importance")
    rows = [tuple("" if each[c] is None else each[c] for c in columns) for each in told]
    facts(
        {"release": release, "features": told},
        as_json=as_json,
        table=table_of(f"{len(told)} features", columns, rows),
    )


def _measured(site: Path | None) -> tuple[str | None, dict[str, Measured]]:
    if site is None:
        return None, {}
    settings = settings_of(site)
    releases = ReleaseDirectory(settings.path(settings.stores.releases))
    name = releases.current()
    return name, read_measured(releases.folder(name)) if name else {}


def _about(measured: dict[str, Measured]) -> str:
    if not measured:
        return ""
    return ABOUT
