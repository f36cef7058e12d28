"""From documents to rules: strict, and every rule that is wrong is told at once."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from palate.catalog.converted import converted_problem
from palate.catalog.fields import escaped, named
from palate.errors import BadInput, Problem
from palate.rules.documents import (
    KINDS,
    AtLeastRule,
    AtMostRule,
    BlockRule,
    RestrictRule,
    Rule,
    Ruling,
    SeenRule,
)
from palate.rules.regions import no_region
from palate.spelling import hint

MOST = 500
"""Rules of one site."""
ZONELESS = "midnight or noon of which place? say its zone: {0}Z, or {0}+01:00"
RESERVED = frozenset({"audit", "preview"})
"""Words that follow /v1/rules/ in an address."""


def rules(documents: object, pointer: str = "/rules") -> tuple[Rule, ...]:
    """A list of documents. Raises BadInput with all that is wrong."""
    if not isinstance(documents, list | tuple):
        raise BadInput.of([Problem(pointer, f"a list of rules is wanted, not {named(documents)}")])
    if len(documents) > MOST:
        raise BadInput.of([Problem(pointer, f"{len(documents)} rules; a site has at most {MOST}")])
    found: list[Rule] = []
    problems: list[Problem] = []
    for n, document in enumerate(documents):
        _read(document, f"{pointer}/{n}", found, problems)
    seen: set[str] = set()
    for n, each in enumerate(found):
        if each.id in seen:
            problems.append(Problem(f"{pointer}/{n}/id", f"{each.id!r} is there twice"))
        seen.add(each.id)
    if problems:
        raise BadInput.of(problems)
    return tuple(found)


def rule(document: object, named_so: str = "") -> Rule:
    """One document; `named_so` is its id where the address tells it. Raises BadInput."""
    if named_so and isinstance(document, dict):
        document = {"id": named_so} | document
    found: list[Rule] = []
    problems: list[Problem] = []
    _read(document, "", found, problems)
    if found and named_so and found[0].id != named_so:
        problems.append(Problem("/id", f"the address says {named_so!r}; say it once"))
    if problems:
        raise BadInput.of(problems)
    return found[0]


def from_file(tables: Mapping[str, Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The tables ``[rules.ID]`` of `palate.toml`. Raises BadInput."""
    found: list[Rule] = []
    problems: list[Problem] = []
    for name, table in tables.items():
        _read({"id": name} | dict(table), f"[rules.{name}] ", found, problems)
    if problems:
        raise BadInput.of(problems)
    return tuple(found)


def _read(document: object, at: str, found: list[Rule], problems: list[Problem]) -> None:
    """Add the rule to `found`, or what is wrong with it to `problems`."""
    if not isinstance(document, dict):
        problems.append(Problem(at, f"a rule is an object, not {named(document)}"))
        return
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        problems.append(Problem(f"{at}/kind", _kinds(kind)))
        return
    unknown = [name for name in document if name not in _fields(document["kind"])]
    if unknown:
        problems += [Problem(f"{at}/{escaped(n)}", _strange(n, document["kind"])) for n in unknown]
        return
    unzoned = [Problem(f"{at}/{name}", ZONELESS.format(said)) for name, said in _unzoned(document)]
    if unzoned:
        problems += unzoned
        return
    try:
        read: Rule = msgspec.convert(document, Rule)
    except msgspec.ValidationError as error:
        told = converted_problem(error)
        problems.append(Problem(f"{at}{told.pointer}", told.problem))
        return
    told_of = [Problem(f"{at}{p.pointer}", p.problem) for p in _sense(read)]
    problems += told_of
    if not told_of:
        found.append(read)


def _fields(kind: str) -> tuple[str, ...]:
    return (*KINDS[kind].__struct_fields__, "kind")


def _kinds(given: object) -> str:
    if given is None:
        return f"it is missing; one of {', '.join(KINDS)}"
    return f"there is no kind {given!r}; {hint(str(given), KINDS)}"


def _strange(name: str, kind: str) -> str:
    return f"a rule of kind {kind} has no such field; {hint(str(name), _fields(kind))}"


def _unzoned(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Times of which nobody can say when they are, each with its field: no zone is given."""
    found = []
    for name in ("starts", "ends"):
        at = document.get(name)
        try:
            at = datetime.fromisoformat(at) if isinstance(at, str) else at
        except ValueError:  # the types will refuse it
            continue
        if isinstance(at, date) and getattr(at, "tzinfo", None) is None:
            hour = at.isoformat() if isinstance(at, datetime) else f"{at.isoformat()}T00:00:00"
            found.append((name, hour))
    return found


def _sense(read: Ruling) -> list[Problem]:
    """What the types let pass and makes no sense."""
    found = _contradictions(read)
    if read.id in RESERVED:
        found.append(Problem("/id", f"{read.id!r} is taken; choose another"))
    if read.starts and read.ends and read.ends <= read.starts:
        found.append(Problem("/ends", "it ends before it starts"))
    return found


def _contradictions(read: Ruling) -> list[Problem]:
    what, told = "", ""
    match read:
        case AtMostRule():
            return _at_most(read)
        case RestrictRule():
            return _restrict(read)
        case AtLeastRule(share=None, count=None):
            what, told = "/share", "how much? a share of the page, or a `count`"
        case AtLeastRule(share=float(), count=int()):
            what, told = "/count", "give `share` or `count`, not both"
        case SeenRule() if (read.policy == "hide_days") != (read.days is not None):
            what, told = "/days", "so many days go with the policy hide_days, and only with it"
        case SeenRule(policy="show") if read.of != "taken":
            what, told = "/of", "the policy show hides nothing of that; leave it out"
        case BlockRule(items=(), where=""):
            what, told = "/items", "block what? give `items` or `where`"
    return [Problem(what, told)] if told else []


def _restrict(read: RestrictRule) -> list[Problem]:
    if not read.regions and not read.min_age:
        return [Problem("/regions", "to whom? give `regions` or `min_age`")]
    wrong = {f"/regions/{n}": no_region(each) for n, each in enumerate(read.regions)}
    return [Problem(where, why) for where, why in wrong.items() if why]


def _at_most(read: AtMostRule) -> list[Problem]:
    if bool(read.of) == bool(read.where):
        what = "of what? say categories, creator or code; or give `where`"
        return [Problem("/of", "give `of` or `where`, not both" if read.of else what)]
    if 0 < read.window <= read.cap:
        return [Problem("/cap", f"{read.cap} of any {read.window} is no limit")]
    return []
