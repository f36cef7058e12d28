"""The page of all features, made from their declarations and from what a release measured."""

from collections.abc import Iterable, Mapping, Sequence

from palate.features.feature import Feature
from palate.features.measured import Measured
from palate.features.vector import DECLARED, chosen

SUBJECTS = (
    ("user", "Who asks, and when", "The same for every candidate of a request."),
    ("item", "What is known of a candidate", "Whoever asks."),
    ("cross", "How a candidate suits who asks", "Each generator brings two: its score and rank."),
)
ABOUT = """What the ranker reads of each candidate: {} numbers, declared a line each in
`src/palate/features/definitions/`. This page is made by `palate features --page`; how to add one is
told in [the guide](guide/add-a-feature.md)."""
HEAD = ("name", "meaning", "unit", "window", "source")
MEASURED = ("missing", "importance")


def facts_of(feature: Feature, measured: Mapping[str, Measured]) -> dict[str, object]:
    """One feature as a record: what the page says in a row, and its definition's hash."""
    found = measured.get(feature.name, Measured())
    sources = feature.sources
    return {
        "name": feature.name,
        "subject": feature.subject,
        "meaning": feature.doc,
        "unit": feature.unit,
        "window": _joined(source.window for source in sources),
        "source": _joined(source.of for source in sources),
        "definition": feature.meaning,
        "retired": feature.retired,
        "missing": found.missing,
        "importance": found.importance,
    }


def page(names: Sequence[str], measured: Mapping[str, Measured], about: str = "") -> str:
    """Write the page: `names` are the features in use; the retired ones follow in a list."""
    used = chosen(tuple(names))
    parts = ["# Features", ABOUT.format(len(used)), *([about] if about else [])]
    for subject, title, told in SUBJECTS:
        rows = [facts_of(f, measured) for f in used if f.subject == subject]
        parts += [f"## {title} ({len(rows)})", told, table(rows, with_measured=bool(measured))]
    old = [f"`{f.name}` ({f.doc})" for f in DECLARED if f.retired]
    parts += [
        "## Retired",
        "Still computed for releases that learnt them, no longer offered to a new one: "
        + "; ".join(old)
        + ".",
    ]
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Mapping[str, object]], *, with_measured: bool) -> str:
    """A Markdown table."""
    head = (*HEAD, *MEASURED) if with_measured else HEAD
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line([_cell(name, row[name]) for name in head]) for row in rows]
    return "\n".join(lines)


def _cell(name: str, value: object) -> str:
    if name == "name":
        return f"`{value}`"
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:.0%}" if name == "missing" else f"{value:+.4f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(parts))
