"""One picture of it all: N@10 of every model by data set, as a small SVG made by hand."""

from collections.abc import Mapping, Sequence

from compared.ledger import Place, Summary

PANELS = (
    ("beauty", "loo", "all", "Beauty, leave one out"),
    ("beauty-content", "loo", "all", "Beauty with content, leave one out"),
    ("ml-1m-ids", "loo", "all", "ML-1M, leave one out"),
    ("ml-100k", "loo", "all", "ML-100K, leave one out"),
    ("ml-100k", "time", "warm", "ML-100K, time split, warm"),
    ("ml-100k", "time", "cold", "ML-100K, time split, cold"),
    ("ml-1m", "time", "warm", "ML-1M, time split, warm"),
    ("ml-1m", "time", "cold", "ML-1M, time split, cold"),
    ("ml-latest-small", "time", "warm", "ML-small, time split, warm"),
    ("ml-latest-small", "loo", "all", "ML-small, leave one out"),
)
SHOWN = (
    "popularity", "popularity 7d", "item-kNN", "EASE", "iALS (implicit)", "covisit tuned",
    "two_tower", "fusion", "funnel",
)  # fmt: skip
WIDTH, BAR, GAP, LABEL = 400, 14, 5, 120
OURS, THEIRS = "#0b7a75", "#9aa5b1"


def chart(found: Mapping[Place, Summary]) -> str:
    """The SVG's text; panels without numbers are left out."""
    panels = [
        (title, rows)
        for data, protocol, part, title in PANELS
        if len(rows := _rows(found, data, protocol, part)) > 1
    ]
    bodies, at = [], [0, 0]
    for number, (title, rows) in enumerate(panels):
        side = number % 2
        bodies.append(_panel(title, rows, side * WIDTH, at[side]))
        at[side] += len(rows) * (BAR + GAP) + 44
    height = max(at)
    style = "<style>text{font:11px system-ui,sans-serif;fill:#334155}.t{font-weight:600}</style>"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{height}"'
        f' viewBox="0 0 {2 * WIDTH} {height}" role="img">'
        "<title>NDCG@10 by model and data set, with 95 % intervals over users</title>"
    )
    return "\n".join([head, style, *bodies, "</svg>"]) + "\n"


def _rows(
    found: Mapping[Place, Summary], data: str, protocol: str, part: str
) -> list[tuple[str, float, float]]:
    places = [(name, Place(data, protocol, part, name)) for name in SHOWN]
    return [
        (name, found[place].mean("ndcg@10"), found[place].half("ndcg@10"))
        for name, place in places
        if place in found
    ]


def _panel(title: str, rows: Sequence[tuple[str, float, float]], left: int, top: int) -> str:
    room = WIDTH - LABEL - 70
    most = max(mean + half for _, mean, half in rows)
    lines = [f'<g transform="translate({left},{top})"><text class="t" x="4" y="16">{title}</text>']
    for number, (name, mean, half) in enumerate(rows):
        y = 26 + number * (BAR + GAP)
        colour = THEIRS if name in SHOWN[:5] else OURS
        end, low, high = (LABEL + room * v / most for v in (mean, mean - half, mean + half))
        middle = y + BAR / 2
        lines += [
            f'<text x="{LABEL - 6}" y="{y + 11}" text-anchor="end">{name.replace("_", "-")}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{end - LABEL:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#0f172a"/>',
            f'<text x="{high + 5:.1f}" y="{y + 11}">{mean:.3f}</text>',
        ]
    return "\n".join([*lines, "</g>"])
