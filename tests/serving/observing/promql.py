"""As much of Prometheus' language as our alerts are written in, over made-up series.

Rates and deltas are those of the first and last sample within the range, without the extrapolation
that Prometheus adds: the made-up series have a sample at both ends.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]
Series: TypeAlias = Mapping[tuple[str, Labels], Sequence[tuple[float, float]]]
"""By name and labels: (seconds, value), oldest first."""

TOKEN = re.compile(r"\s*(\[\w+\]|\{[^}]*\}|[a-zA-Z_]\w*|\d+\.?\d*|[()<>/,])")
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0}
STALE = 300.0
AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "avg": lambda values: sum(values) / len(values),
}


def firing(expression: str, series: Series, now: float) -> Vector:
    """What the expression selects at that time: an alert fires where there is something."""
    tokens = TOKEN.findall(expression)
    if "".join(tokens) != re.sub(r"\s+(?=([^{}]*{[^{}]*})*[^{}]*$)", "", expression):
        raise ValueError(f"what is {expression!r}?")
    reading = _Reading(tokens, series, now)
    found = reading.comparison()
    if reading.at != len(tokens):
        raise ValueError(f"what is {' '.join(tokens[reading.at :])!r}?")
    if not isinstance(found, dict):
        raise TypeError("an alert is a vector")
    return found


@dataclass
class _Reading:
    tokens: list[str]
    series: Series
    now: float
    at: int = 0

    def take(self, wanted: str = "") -> str:
        token = self.tokens[self.at]
        if wanted and token != wanted:
            raise ValueError(f"{wanted!r} is wanted, not {token!r}")
        self.at += 1
        return token

    def next_is(self, *wanted: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in wanted

    def comparison(self) -> Vector | float:
        left = self.quotient()
        if not self.next_is("<", ">"):
            return left
        sign, right = self.take(), self.quotient()
        assert isinstance(left, dict)
        assert isinstance(right, float)
        return {k: v for k, v in left.items() if (v > right if sign == ">" else v < right)}

    def quotient(self) -> Vector | float:
        left = self.term()
        while self.next_is("/"):
            self.take()
            right = self.term()
            assert isinstance(left, dict)
            divisors = right if isinstance(right, dict) else dict.fromkeys(left, right)
            left = {k: _divided(v, divisors[k]) for k, v in left.items() if k in divisors}
        return left

    def term(self) -> Vector | float:
        word = self.take()
        if word[0].isdigit():
            return float(word)
        if word in AGGREGATES:
            return self.aggregate(AGGREGATES[word])
        if self.next_is("("):
            return self.call(word)
        return {labels: points[-1][1] for labels, points in self.select(word, STALE)}

    def aggregate(self, of: Callable[[list[float]], float]) -> Vector:
        by = []
        if self.next_is("by"):
            self.take()
            self.take("(")
            while not self.next_is(")"):
                by.append(self.take())
                if self.next_is(","):
                    self.take()
            self.take(")")
        groups: defaultdict[Labels, list[float]] = defaultdict(list)
        for labels, value in self.vector().items():
            groups[frozenset(each for each in labels if each[0] in by)].append(value)
        return {labels: of(values) for labels, values in groups.items()}

    def vector(self) -> Vector:
        """What stands in brackets."""
        self.take("(")
        found = self.quotient()
        self.take(")")
        assert isinstance(found, dict)
        return found

    def call(self, name: str) -> Vector | float:
        if name in {"rate", "delta"}:
            return self.over_time(name)
        if name == "histogram_quantile":
            self.take("(")
            share = float(self.take())
            self.take(",")
            found = self.quotient()
            self.take(")")
            assert isinstance(found, dict)
            return _quantile(share, found)
        found = self.vector()
        if name == "absent":
            return {} if found else {frozenset(): 1.0}
        if name == "scalar":
            return next(iter(found.values())) if len(found) == 1 else math.nan
        raise ValueError(f"what is {name}?")

    def over_time(self, name: str) -> Vector:
        self.take("(")
        metric = self.take()
        matchers = self.take() if self.tokens[self.at][0] == "{" else ""
        seconds = float(self.tokens[self.at][1:-2]) * UNITS[self.take()[-2]]
        self.take(")")
        grown = {
            labels: points[-1][1] - points[0][1]
            for labels, points in self.select(metric, seconds, matchers)
            if len(points) > 1
        }
        return grown if name == "delta" else {k: v / seconds for k, v in grown.items()}

    def select(
        self, metric: str, seconds: float, matchers: str = ""
    ) -> Iterator[tuple[Labels, list[tuple[float, float]]]]:
        if not matchers and self.at < len(self.tokens) and self.tokens[self.at][0] == "{":
            matchers = self.take()
        wanted = re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers)
        for (name, labels), points in self.series.items():
            inside = [each for each in points if self.now - seconds <= each[0] <= self.now]
            if name == metric and inside and all(_fits(dict(labels), *each) for each in wanted):
                yield labels, inside


def _fits(labels: dict[str, str], name: str, sign: str, wanted: str) -> bool:
    value = labels.get(name, "")
    found = bool(re.fullmatch(wanted, value)) if "~" in sign else value == wanted
    return found != sign.startswith("!")


def _divided(value: float, divisor: float) -> float:
    return value / divisor if divisor else math.nan


def _quantile(share: float, buckets: Vector) -> Vector:
    bounds = sorted((float(dict(labels)["le"]), count) for labels, count in buckets.items())
    wanted, below, before = share * bounds[-1][1], 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted and count > before:
            inside = (wanted - before) / (count - before)
            reach = below if math.isinf(bound) else below + (bound - below) * inside
            return {frozenset(): reach}
        below, before = bound, count
    return {}
