"""Our own parts: covisit by itself, and everything that a release serves, asked as Home asks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from compared.peers import Peer, Scorer, Settings
from compared.questions import Past
from compared.sets import with_training
from palate.arrays import Floats, Rows
from palate.evaluation.judging import Bench
from palate.evaluation.run import Progress, Wish, answers
from palate.evaluation.split import Protocol
from palate.funnel.engine import Funnel
from palate.models.covisit import Covisit, CovisitSettings
from palate.stores import Stores, current_release, with_release
from palate.surfaces import funnel
from palate.surfaces.home import generators
from palate.training.pipeline import train

HIDDEN = frozenset({"popularity", "popularity_7d", "anything"})
"""Counted again by the peers, or drawn by lot."""
NOTHING: Rows = np.empty(0, np.int32)


def covisit(past: Past, settings: Settings) -> Scorer:
    """The model that serves, folded from the histories in one go."""
    window = settings["window"]
    model = Covisit.in_memory(past.size, 1_024)
    model.settings = CovisitSettings(**settings)
    model.fold(np.concatenate(past.histories), _windows(past.histories, window))
    servable = np.ones(past.size, np.uint8)

    def score(histories: Sequence[Rows], how: Settings) -> Floats:
        model.settings = CovisitSettings(**settings, **how)
        scores = np.zeros((len(histories), past.size), np.float32)
        for place, history in enumerate(histories):
            rows, found = model.score(history[::-1], servable, NOTHING, past.size)
            scores[place, rows] = found
        return scores

    return score


def _windows(histories: Sequence[Rows], window: int) -> "np.typing.NDArray[np.int32]":
    """(events, window): what the same user had taken before, newest first."""
    parts = []
    for history in histories:
        padded = np.concatenate([np.full(window, -1, np.int32), history])
        views = np.lib.stride_tricks.sliding_window_view(padded[:-1], window)
        parts.append(views[:, ::-1])
    return np.concatenate(parts)


COVISIT = Peer(
    "covisit",
    covisit,
    (
        {"window": 5, "gamma": 1.0, "back": 0.5, "alpha": 0.7, "beta": 0.0},
        {"window": 10, "gamma": 0.75, "back": 0.6, "alpha": 0.5, "beta": 0.2},
        {"window": 20, "gamma": 0.5, "back": 0.5, "alpha": 0.5, "beta": 0.2},
        {"window": 10, "gamma": 0.5, "back": 0.7, "alpha": 0.3, "beta": 0.3},
    ),
    tuple({"decay": decay} for decay in (0.5, 0.6, 0.8, 0.95)),
)


def released(
    site: Stores, protocol: Protocol, seed: int, changes: Settings
) -> Iterator[tuple[str, Sequence[Rows], Bench, dict[str, float]]]:
    """Train a release on what may be learnt and ask everybody; each model's lists."""
    learning = _Learning()
    site = replace(site, settings=with_training(site.settings, seed=seed, **changes))
    started = perf_counter()
    found = answers(site, Wish(protocol, seed=seed), _home, learning, _silent)
    asking = perf_counter() - learning.done
    spent = {"fit_seconds": learning.seconds, "ask_seconds": asking}
    spent["seconds"] = perf_counter() - started
    for name, lists in found.lists.items():
        if name not in HIDDEN and any(map(len, lists)):
            yield name, lists, found.bench, spent


class _Learning:
    """Trains, and remembers what it took and what was said."""

    def __init__(self) -> None:
        self.seconds = self.done = 0.0

    def __call__(self, stores: Stores, _: Progress) -> Stores:
        started = perf_counter()
        train(stores, generators, lambda *_: None)
        self.done = perf_counter()
        self.seconds = self.done - started
        return with_release(stores, current_release(stores.settings))


def _home(stores: Stores) -> Funnel:
    return funnel("home", stores, {"explore.epsilon": 0.0})


def _silent(_doing: str, _part: float) -> None:
    """Nobody watches."""
