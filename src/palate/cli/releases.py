"""List the releases of a site, look into one, promote one, go back to the one before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.errors import BadInput, CorruptRelease
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest

app = typer.Typer(no_args_is_help=True)

ERROR, DECILE = "/ece", "/decile_"
"""How the manifest names a head's numbers of calibration."""

NameArgument = Annotated[str, typer.Argument(help="A release's name, as `list` prints it.")]


@app.callback(invoke_without_command=True)
def releases(
    context: typer.Context,
    site: SiteOption = Path(),
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """List the releases of a site, look into one, promote one, go back to the one before.

    With nothing but options it lists them.

    Example: **palate releases --site shop**
    """
    if context.invoked_subcommand is None:
        list_(site, as_json)
    elif site != Path() or as_json:
        what = context.invoked_subcommand
        raise BadInput(f"options go behind the command: palate releases {what} --site {site}")


@app.command("list")
def list_(site: SiteOption = Path(), as_json: JsonOption = False) -> None:  # noqa: FBT002  Typer's form
    """All releases, oldest first; the live one is marked.

    Example: **palate releases list --json**
    """
    directory = _directory(site)
    live = directory.current()
    rows = [_row(directory, name, live) for name in directory.names()]
    if not rows and not as_json:
        typer.echo("no release yet: `palate train` makes one")
        return
    head = ("release", "live", "made", "events", "parts", "remark")
    table = table_of(
        "Releases",
        head,
        [tuple(str(r[c])[:16] if c == "made" else r[c] for c in head) for r in rows],
    )
    table.columns[0].no_wrap = True  # a name that is cut cannot be promoted
    table.columns[2].no_wrap = True
    table.columns[0].min_width = max(map(len, directory.names()), default=0)
    facts({"current": live, "releases": rows}, as_json=as_json, table=table)


@app.command()
def show(name: NameArgument, site: SiteOption = Path(), as_json: JsonOption = False) -> None:  # noqa: FBT002
    """What a release says of itself: data, metrics, what the gate said, files.

    Example: **palate releases show 20261124-101500-3f2a**
    """
    manifest = _directory(site).manifest(name)
    deciles = {name for name in manifest.metrics if DECILE in name}
    metrics = {name: each for name, each in manifest.metrics.items() if name not in deciles}
    parts = {"data": manifest.data, "metrics": metrics, "seconds": manifest.seconds}
    text = [f"{name}, made {_moment(manifest)} by palate {manifest.version}"]
    text += [f"  {verdict.sentence}" for verdict in manifest.verdicts]
    text += [f"  Note: {note}" for note in manifest.notes]
    for part, numbers in parts.items():
        text += ["", f"{part}:"] if numbers else []
        text += [f"  {key} = {value:.6g}" for key, value in sorted(numbers.items())]
    text += _calibration(manifest.metrics)
    facts(manifest, as_json=as_json, table="\n".join(text))


@app.command()
def promote(name: NameArgument, site: SiteOption = Path(), as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Make a release the live one; servers swap to it without dropping a request.

    A release that does not verify is refused, and the live one stays.

    Example: **palate releases promote 20261124-101500-3f2a**
    """
    directory = _directory(site)
    directory.promote(name)
    facts({"current": name}, as_json=as_json, table=f"{name} is live")


@app.command()
def rollback(site: SiteOption = Path(), as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Make the release that was live before the live one again.

    Example: **palate releases rollback**
    """
    name = _directory(site).rollback()
    facts({"current": name}, as_json=as_json, table=f"{name} is live again")


def _calibration(metrics: Mapping[str, float]) -> list[str]:
    """Each head's error, and what came true over what was promised by decile, as lines."""
    heads = [name.removesuffix(ERROR) for name in metrics if name.endswith(ERROR)]
    lines = ["", "calibration: error, then observed / predicted by decile, least likely first:"]
    for head in heads:
        tenths = (metrics.get(f"{head}{DECILE}{n}") for n in range(1, 11))
        told = " ".join(" -  " if tenth is None else f"{tenth:.2f}" for tenth in tenths)
        lines.append(f"  {head.rpartition('/')[2]:9} {metrics[head + ERROR]:.4f}  {told}")
    return lines if heads else []


def _directory(site: Path) -> ReleaseDirectory:
    settings = settings_of(site)
    return ReleaseDirectory(settings.path(settings.stores.releases))


def _row(directory: ReleaseDirectory, name: str, live: str | None) -> dict[str, object]:
    row: dict[str, object] = {"release": name, "live": "live" if name == live else ""}
    try:
        manifest = directory.manifest(name)
    except CorruptRelease as error:
        return row | {"made": "", "events": 0, "parts": "", "remark": error.detail}
    parts = ", ".join(v.part for v in manifest.verdicts if v.shipped) or "fusion"
    events = int(manifest.data.get("events", 0))
    return row | {"made": _moment(manifest), "events": events, "parts": parts, "remark": ""}


def _moment(manifest: Manifest) -> str:
    return datetime.fromtimestamp(manifest.created, UTC).isoformat(timespec="seconds")
