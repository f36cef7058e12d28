"""List, add, remove and preview the rules that a site's lists obey; who changed them."""

import asyncio
import json
import sys
import tomllib
from getpass import getuser
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from palate.catalog.fields import rfc3339
from palate.cli.output import facts, remarked, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import BadInput, Problem
from palate.rules import decode
from palate.rules.documents import encoded
from palate.rules.protocol import By
from palate.serving.runtime import running
from palate.serving.steering.bodies import PreviewBody, PreviewDocument, Sample
from palate.serving.steering.changes import Changes
from palate.serving.steering.preview import preview as previewed
from palate.serving.steering.watch import RuleWatch, sources
from palate.settings import Settings
from palate.stores import open_rules, open_stores

app = typer.Typer(no_args_is_help=True)
TOLD = "A rule as JSON, a file of it (.json or .toml), or - for standard input."
RuleArgument = Annotated[str, typer.Argument(help=TOLD)]
UsersOption = Annotated[
    list[str] | None,
    typer.Option("--user", "-u", help="Whose page.", show_default="who asked last"),
]
SHARED = frozenset({"id", "kind", "surfaces", "starts", "ends", "audience", "enabled", "note"})


@app.callback()
def rules() -> None:
    """List, add, remove and preview the rules that a site's lists obey; who changed them.

    Running servers obey a change within a second.

    Example: **palate rules list**
    """


@app.command("list")
def list_(site: SiteOption = Path(), as_json: JsonOption = False) -> None:  # noqa: FBT002  Typer's form
    """All rules, the strongest first.

    Example: **palate rules list --json**
    """
    watch = _watch(settings_of(site))
    book = watch.book.read()
    told = [encoded(each) | {"in": where} for each, where in sources(watch.from_file, book.rules)]
    if not told and not as_json:
        typer.echo("no rule yet: `palate rules add` makes one, [rules.ID] in palate.toml too")
        return
    rows = [(t["id"], t["kind"], _where(t), _says(t), t["in"]) for t in told]
    table = table_of(f"Rules, version {book.version}", ("rule", "kind", "acts", "says", "in"), rows)
    facts({"version": book.version, "rules": told}, as_json=as_json, table=table)


@app.command()
def add(rule: RuleArgument, site: SiteOption = Path(), as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Add a rule, or replace the one of its id.

    Example: **palate rules add '{"id": "up", "kind": "boost", "where": "year > 2020", "by": 0.3}'**
    """
    made = decode.rule(_read(rule))
    changes = _changes(site)
    book = asyncio.run(changes.put(made))
    remarks = changes.doubts()
    remarked(remarks)
    told = {"version": book.version, "rule": encoded(made), "remarks": remarks}
    facts(told, as_json=as_json, table=f"{made.id} acts (version {book.version})")


@app.command()
def remove(
    rule_id: Annotated[str, typer.Argument(help="The rule's id.")],
    site: SiteOption = Path(),
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Drop a rule.

    Example: **palate rules remove up**
    """
    book = asyncio.run(_changes(site).remove(rule_id))
    told = f"{rule_id} is gone (version {book.version})"
    facts({"version": book.version, "removed": rule_id}, as_json=as_json, table=told)


@app.command()
def audit(
    site: SiteOption = Path(),
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Changes.")] = 20,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Who changed which rule, when, from what to what; newest first.

    Example: **palate rules audit --limit 5**
    """
    found = _watch(settings_of(site)).book.audit(limit)
    told = [msgspec.structs.asdict(each) | {"time": rfc3339(each.time)} for each in found]
    head = ("version", "time", "who", "action", "rule_id")
    rows = [tuple(each[name] for name in head) for each in told]
    facts({"changes": told}, as_json=as_json, table=table_of("Changes", head, rows))


@app.command()
def preview(
    rule: RuleArgument,
    site: SiteOption = Path(),
    user: Annotated[
        list[str] | None,
        typer.Option("--user", "-u", help="Whose page.", show_default="who asked last"),
    ] = None,
    surface: Annotated[str, typer.Option(help="Which page.")] = "home",
    limit: Annotated[int, typer.Option(min=1, max=100, help="Entries.")] = 10,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Show what a rule would change, for some users or for those who asked last. Nothing is stored.

    Example: **palate rules preview up.json --user u1**
    """
    draft = _read(rule)
    decode.rule(draft)
    asks = tuple(Sample(surface=surface, user_id=each, limit=limit) for each in user or ())
    document = PreviewDocument(rules=(draft,), requests=asks)
    found = asyncio.run(_previewed(settings_of(site), document))
    remarked(found.remarks)
    facts(found, as_json=as_json, table=_told(found))


async def _previewed(settings: Settings, document: PreviewDocument) -> PreviewBody:
    async with running(settings, SystemClock()) as runtime:
        return await previewed(runtime, document)


def _told(found: PreviewBody) -> str:
    if not found.slates:
        return "nobody asked for a page yet: name somebody with --user"
    lines: list[str] = []
    for slate in found.slates:
        under = ", ".join(slate.acting) or "no rule"
        lines += [f"{slate.surface} for {slate.visitor or 'somebody new'}, under {under}"]
        for each in slate.after:
            was = "new" if each.was is None else f"was {each.was}"
            why = "; ".join(each.rules)
            moved = f"({was})" if each.was != each.position else ""
            lines.append(f"  {each.position:>3}  {each.title}  {moved}  {why}".rstrip())
        lines += [f"    -  {each.title}  (was {each.was})" for each in slate.gone]
        lines += [f"  not kept: {name}, {n} places" for name, n in slate.relaxed.items()]
    return "\n".join(lines)


def _changes(site: Path) -> Changes:
    settings = settings_of(site)
    stores = open_stores(settings)
    return Changes(_watch(settings), stores, By(f"{getuser()} (cli)", SystemClock().now()))


def _watch(settings: Settings) -> RuleWatch:
    return RuleWatch(settings, open_rules(settings), SystemClock())


def _read(given: str) -> Any:
    """The document. Raises BadInput."""
    try:
        if given.lstrip().startswith("{"):
            return json.loads(given)
        text = sys.stdin.read() if given == "-" else Path(given).read_text("utf-8")
        return tomllib.loads(text) if given.endswith(".toml") else json.loads(text)
    except OSError as error:
        what = f"{given} cannot be read: {error.strerror}; give a rule as JSON, or a file of it"
        raise BadInput(what, [Problem(given, what)]) from error
    except (ValueError, UnicodeDecodeError) as error:
        what = f"this is not a rule: {error}"
        raise BadInput(what, [Problem("", what)]) from error


def _where(rule: dict[str, Any]) -> str:
    """Where and when it acts, in words."""
    parts = [", ".join(rule.get("surfaces", ())) or "everywhere"]
    words = {"starts": "from", "ends": "until", "audience": "for"}
    parts += [f"{word} {rule[name]}" for name, word in words.items() if name in rule]
    return ", ".join(parts if rule.get("enabled", True) else [*parts, "off"])


def _says(rule: dict[str, Any]) -> str:
    own = {name: value for name, value in rule.items() if name not in SHARED | {"in"}}
    return ", ".join(f"{name} {_short(value)}" for name, value in own.items())


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004  a cell
