"""How often campaigns were shown altogether: every worker counts its own and hears of the others.

A worker knows what it placed itself at once, and what others placed within
``serving.release_poll_seconds`` (half a second). So a cap is passed at most by what is placed
meanwhile: on one worker by requests that are answered at the same time, on several by what the
others place in half a second. A worker that is killed loses what it has not told yet.
"""

import threading
from collections import Counter
from collections.abc import Iterable

from palate.rules.protocol import RuleBook


class Placements:
    """One worker's counts, by rule."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        self._told: dict[str, int] = {}
        """What all workers placed, as the book has it."""
        self._new: Counter[str] = Counter()
        """What this one placed since."""
        self._telling: Counter[str] = Counter()

    def note(self, rules: Iterable[str]) -> None:
        """Something was shown by these rules, once for each time that one is named."""
        found = Counter(rules)
        if found:
            with self._lock:
                self._new += found

    def spent(self, rule: str) -> int:
        """How often its items were placed, as far as is known here."""
        with self._lock:
            return self._told.get(rule, 0) + self._telling[rule] + self._new[rule]

    def settle(self) -> None:
        """Tell the book what is new, and hear what others placed. Blocks.

        One thread at a time: what one is telling, another would tell again. What could not be
        told is told the next time.
        """
        with self._settling:
            with self._lock:
                self._telling, self._new = self._telling + self._new, Counter()
            told = self._book.placed(dict(self._telling))
            with self._lock:
                self._told, self._telling = told, Counter()
