"""What was measured, for people: tables, a picture, and a section of docs/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

DOCS = Path(__file__).parents[2] / "docs"
PAGE, STORE, PICTURE = DOCS / "performance.md", DOCS / "serve.json", DOCS / "serve.svg"
BEGIN, END = "<!-- bench/serve.py: begin -->", "<!-- bench/serve.py: end -->"
POINTS = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
WIDTH, HEIGHT, EDGE = 640, 300, 48
SVG = 'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="11"'
COLOURS = ("#0b7a75", "#d1495b", "#edae49", "#30638e")


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and p99.9."""
    if not len(times):
        return dict.fromkeys(POINTS, 0.0)
    found = np.percentile(times, list(POINTS.values()))
    return {name: round(float(v), 3) for name, v in zip(POINTS, found, strict=True)}


def merged(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured today, over what was measured of other sizes before."""
    before = msgspec.json.decode(STORE.read_bytes()) if STORE.exists() else {"runs": []}
    facts = {name: told[name] for name in ("machine", "date", "command")}
    fresh = {each["items"]: {**each, **facts} for each in told["runs"]}
    held = {each["items"]: each for each in before["runs"]} | fresh
    return {"runs": [held[items] for items in sorted(held)]}


def write(told: Mapping[str, Any]) -> None:
    """Store the numbers, draw them, and lay them into the page between its markers."""
    STORE.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
    PICTURE.write_text(chart(told["runs"]), "utf-8")
    lay(PAGE, BEGIN, END, section(told["runs"]))


def lay(page: Path, begin: str, end: str, text: str) -> None:
    """Put text into a page, between two marks."""
    head, _, rest = page.read_text("utf-8").partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{tail}", "utf-8")


def told_runs(told: Mapping[str, Any]) -> str:
    """For the terminal."""
    own = {name: told[name] for name in ("machine", "date", "command")}
    return section([{**each, **own} for each in told["runs"]])


def section(runs: Sequence[Mapping[str, Any]]) -> str:
    """All sizes: what they were measured on, the rates, the stages."""
    parts = [_rates(runs), _stages(runs), *(_source(each) for each in runs)]
    return "\n\n".join(parts) + "\n"


def _rates(runs: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| items | asked a second | got | p50 | p95 | p99 | p99.9 ms | CPU | core | cut | knob |",
        "|---" * 11 + "|",
    ]
    for each in runs:
        cut = "" if each.get("whole") else ", answers cut"
        most = f"closed loop, 8{cut}: {each['most']:,.0f}"
        cpu = f"{each['closed_cpu_milliseconds']:.2f} ms"
        lines.append(f"| {each['items']:,} | {most} | | | | | | {cpu} | | | |")
        lines += [_rate(each["items"], rate) for rate in each["rates"]]
    return "\n".join(lines)


def _rate(items: int, rate: Mapping[str, Any]) -> str:
    points = " | ".join(f"{rate['milliseconds'][name]:.1f}" for name in POINTS)
    missed = rate["failures"] + sum(n for step, n in rate["steps"].items() if step != "full")
    knob = f"{rate['candidates']:.0%}" if "candidates" in rate else ""
    return (
        f"| {items:,} | {rate['rate']:,.0f} | {rate['per_second']:,.0f} | {points} |"
        f" {rate['cpu_milliseconds']:.2f} ms | {rate['worker_cpu_share']:.0%} | {missed} | {knob} |"
    )


def _stages(runs: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(n for each in runs for n in _half(each)["stages"]))
    head = " | ".join(f"{each['items']:,}" for each in runs)
    lines = [f"| stage, p50 / p99 ms at half load | {head} |", "|---" * (len(runs) + 1) + "|"]
    for name in ["whole, inside the worker", *names]:
        cells = []
        for each in runs:
            half = _half(each)
            found = half["inside"] if name not in names else half["stages"].get(name)
            cells.append(f"{found['p50']:.2f} / {found['p99']:.2f}" if found else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _half(run: Mapping[str, Any]) -> Mapping[str, Any]:
    rates: Sequence[Mapping[str, Any]] = run["rates"]
    return min(rates, key=lambda each: abs(each["rate"] - run["most"] / 2))


def _source(run: Mapping[str, Any]) -> str:
    machine, memory = run["machine"], run["memory"]
    return (
        f"{run['items']:,} items, {run['users']:,} users: `{run['command']}`, {run['date']};"
        f" {machine['processor']}, {machine['cores']} cores, {machine['gigabytes']} GB, load"
        f" {machine['load']} at the end. The worker holds {memory['anonymous']:,.0f} MB of its own"
        f" and {memory['files']:,.0f} MB of mapped files."
    )


def chart(runs: Sequence[Mapping[str, Any]]) -> str:
    """p50 (thin) and p99 (bold) by rate, a line for each size; milliseconds on a log scale."""
    most = max(rate["rate"] for each in runs for rate in each["rates"])
    lines = [
        f'<svg {SVG} viewBox="0 0 {WIDTH} {HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for level in (1, 2, 5, 10, 20, 50, 100, 200):
        y = _y(level)
        lines.append(f'<path d="M{EDGE} {y:.1f}H{WIDTH - EDGE}" stroke="#ddd"/>')
        lines.append(f'<text x="8" y="{y + 4:.1f}">{level} ms</text>')
    for each, colour in zip(runs, COLOURS * len(runs), strict=False):
        for name, width in (("p50", 1), ("p99", 3)):
            places = " ".join(
                f"{_x(r['rate'], most):.1f},{_y(r['milliseconds'][name]):.1f}"
                for r in each["rates"]
            )
            lines.append(
                f'<polyline points="{places}" fill="none" stroke="{colour}"'
                f' stroke-width="{width}"/>'
            )
        last = each["rates"][-1]
        x, y = _x(last["rate"], most), _y(last["milliseconds"]["p99"])
        lines.append(
            f'<text x="{x - 90:.1f}" y="{y - 6:.1f}" fill="{colour}">{each["items"]:,} items</text>'
        )
    for rate in np.linspace(0, most, 5):
        x = _x(float(rate), most)
        lines.append(f'<text x="{x - 12:.1f}" y="{HEIGHT - 14}">{rate:.0f}</text>')
    lines.append(f'<text x="{WIDTH // 2 - 60}" y="{HEIGHT - 2}">requests a second, one core</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _x(rate: float, most: float) -> float:
    return EDGE + (WIDTH - 2 * EDGE) * rate / most


def _y(milliseconds: float) -> float:
    """1 ms at the bottom, 200 ms at the top."""
    share = np.log(np.clip(milliseconds, 1.0, 200.0)) / np.log(200.0)
    return float(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share)
