"""Our own parts: covisit by itself, and everything that a release serves, asked as Home asks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from compared.peers import Peer, Scorer, Settings
from compared.questions import Past
from compared.sets import with_training
from palate.arrays import Floats, Rows
from palate.evaluation.judging import Bench
from palate.evaluation.run import Progress, Wish, answers
from palate.evaluation.split import Protocol
from palate.evaluation.tuning.run import Order, tune
from palate.funnel.engine import Funnel
from palate.models.covisit_history import Acts, counted
from palate.settings import CovisitSettings
from palate.stores import Stores, current_release, with_release
from palate.surfaces import funnel
from palate.surfaces.home import generators
from palate.training.content.encoder import alike_today
from palate.training.pipeline import train

TUNED = "tuned"
HIDDEN = frozenset({"popularity", "popularity_7d", "anything"})
"""Counted again by the peers, or drawn by lot."""


def covisit(past: Past, settings: Settings) -> Scorer:
    """The model that serves, folded from the histories in one go."""
    users = np.repeat(np.arange(len(past.histories)), [len(h) for h in past.histories])
    items = np.concatenate(past.histories)
    wanted = CovisitSettings(**settings)
    model = counted(Acts.taking(users, items, np.zeros(len(items))), wanted)

    def score(histories: Sequence[Rows], how: Settings) -> Floats:
        model.settings = msgspec.structs.replace(wanted, **how)
        scores = [model.everything(history[::-1], past.size) for history in histories]
        return np.stack(scores).astype(np.float32)

    return score


COVISIT = Peer(
    "covisit tuned",
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
) -> Iterator[tuple[str, Sequence[Rows], Bench, dict[str, Any]]]:
    """Train a release on what may be learnt and ask everybody; each model's lists.

    Beside the funnel's stands what the release says of itself: the gate's numbers and sentences.
    With ``tuned`` among the changes co-visitation is tuned inside train first, with so many tries.
    """
    learning, started = _Learning(), perf_counter()
    trained = {name: value for name, value in changes.items() if name != TUNED}
    site = replace(site, settings=with_training(site.settings, seed=seed, **trained))
    site = _tuned(site, protocol, int(changes.get(TUNED, 0)), seed)
    found = answers(site, Wish(protocol, seed=seed), _home, learning, _silent)
    asking = perf_counter() - learning.done
    spent = {"fit_seconds": learning.seconds, "ask_seconds": asking}
    spent["seconds"] = perf_counter() - started
    for name, lists in found.lists.items():
        if name not in HIDDEN and any(map(len, lists)):
            told = {"release": learning.told} if name == "funnel" else {}
            yield name, lists, found.bench, spent | told


def _tuned(site: Stores, protocol: Protocol, tries: int, seed: int) -> Stores:
    """With what `palate tune` finds for co-visitation."""
    if not tries:
        return site
    order = Order(parts=("covisit",), protocol=protocol, budget=tries, seed=seed)
    found = tune(site, order, _home, lambda stores, _: stores, _silent, alike_today)
    told = msgspec.to_builtins(site.settings.covisit) | found.settings["covisit"]
    covisit = msgspec.convert(told, CovisitSettings)
    return replace(site, settings=msgspec.structs.replace(site.settings, covisit=covisit))


class _Learning:
    """Trains, and remembers what it took and what was said."""

    def __init__(self) -> None:
        self.seconds = self.done = 0.0
        self.told: dict[str, Any] = {}

    def __call__(self, stores: Stores, _: Progress) -> Stores:
        started = perf_counter()
        report = train(stores, generators, lambda *_: None)
        self.done = perf_counter()
        if report.manifest is not None:
            kept = ("metrics", "fusion", "seconds", "data")
            self.told = {name: dict(getattr(report.manifest, name)) for name in kept}
        self.told["sentences"] = list(report.sentences)
        self.seconds = self.done - started
        return with_release(stores, current_release(stores.settings))


def _home(stores: Stores) -> Funnel:
    return funnel("home", stores, {"explore.epsilon": 0.0})


def _silent(_doing: str, _part: float) -> None:
    """Nobody watches."""
