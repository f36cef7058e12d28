"""Surfaces that misbehave, as files of a site's own: each has one part as wrong as can be."""

from pathlib import Path

HEAD = '''
import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palate.funnel.engine import Funnel
from palate.funnel.types import Candidates, Reason
from palate.ranking.fusion import Fusion
from palate.reranking.hide_policy import HidePolicy
from palate.reranking.hide_seen import HideSeen
from palate.retrieval.popular import Popular


def stop():
    """Hold the thread for ever, while the bench says so."""
    while Path("{mark}").exists():
        time.sleep(0.1)
    return True


@dataclass(frozen=True)
class Wrong:
    """Proposes, in its way."""

    size: int

    async def generate(self, query, limit):
        {generate}

    def explain(self, query, row):
        raise RuntimeError("it cannot say why")


@dataclass(frozen=True)
class Odd:
    """Ranks, in its way."""

    fine: Fusion
    reads = ()

    def score(self, query, pool, features):
        scores = self.fine.score(query, pool, features)
        return {score}


def {name}(stores):
    """A funnel with one wrong part."""
    return Funnel(
        stores=stores,
        generators=(Wrong(stores.columns.size), Popular.default(stores)),
        filters=(HideSeen(), HidePolicy(stores.columns)),
        ranker=Odd(Fusion.default(stores)),
        rules=(),
    )
'''
FINE, SCORE = "return Candidates.none()", "scores"
NAN = """rows = np.arange(min(limit, self.size), dtype=np.int32)
        return Candidates(rows, np.full(len(rows), np.nan, np.float32))"""
UNKNOWN = """rows = np.arange(limit, dtype=np.int32) + self.size - 3
        return Candidates(rows, np.ones(limit, np.float32))"""
REPEATS = """return Candidates(np.zeros(limit, np.int32), np.ones(limit, np.float32))"""
MILLION = """rows = np.arange(1_000_000, dtype=np.int32) % self.size
        return Candidates(rows, np.ones(1_000_000, np.float32))"""
WRONG = {
    "throws": ('raise ValueError("it breaks")', SCORE),
    "hangs": ("await asyncio.sleep(3600)", SCORE),
    "nan": (NAN, SCORE),
    "unknown": (UNKNOWN, SCORE),
    "repeats": (REPEATS, SCORE),
    "million": (MILLION, SCORE),
    "nonsense": ('return "items, please"', SCORE),
    "ranks_nan": (FINE, "scores * np.float32(np.nan)"),
    "ranks_short": (FINE, "scores[:1]"),
}
STOPS = {
    "stops": ("stop(); return Candidates.none()", SCORE),
    "ranks_stops": (FINE, "scores if stop() else scores"),
}
"""Of those that stand still without an await, as long as there is a file `MARK` in the site."""
MARK = "stop"
"""What the generator does, and what the ranker gives."""


def write_surfaces(home: Path) -> list[str]:
    """Put them into a site; their names."""
    folder = home / "surfaces"
    folder.mkdir(exist_ok=True)
    for name, (generate, score) in (WRONG | STOPS).items():
        text = HEAD.replace("{generate}", generate).replace("{score}", score)
        text = text.replace("{mark}", str(home / MARK))
        (folder / f"{name}.py").write_text(text.replace("{name}", name), "utf-8")
    return list(WRONG)
