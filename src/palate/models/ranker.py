"""The ranker, serving side: features in, calibrated probabilities out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows, by_column
from palate.jit import kernel, swift
from palate.models.everybody import Everybody
from palate.models.gauss import Gauss, alike
from palate.models.laplace import Laplace
from palate.models.networks import Heard, probabilities, session
from palate.models.trees import FILE as TREES
from palate.models.trees import Trees
from palate.models.visits import NEWCOMER, Visit

HEADS = ("click", "view", "positive", "negative")
"""What is predicted of a shown item, in this order: taken in; taken in for good (a long view, or
more than looking); liked, saved, bought; turned down."""
FIRST_HEADS = ("click", "positive", "negative")
"""Those of releases that do not name theirs."""

Curve: TypeAlias = tuple[Doubles, Doubles]
"""Raw probabilities, rising, and the observed share at each."""

TINY = 1e-6
SLOPE = 1e-4
"""Calibration may have flat steps; this much of the raw probability keeps the order in them."""

NOTHING: Floats = np.empty(0, np.float32)
SURE = float(np.log((1.0 - TINY) / TINY))
"""Logit of a probability that is TINY from certainty."""

VectorsOf: TypeAlias = Literal["", "two_tower", "content"]


class Knots(msgspec.Struct, frozen=True):
    """A calibration curve: raw probability -> observed share, linear between its knots."""

    raw: tuple[float, ...] = (0.0, 1.0)
    observed: tuple[float, ...] = (0.0, 1.0)

    def apply(self, raw: Floats) -> Floats:
        """Calibrated probabilities in [0, 1], strictly increasing with `raw`."""
        return _bent(np.ascontiguousarray(raw)[:, None], (self.curve(),))[:, 0]

    def curve(self) -> "Curve":
        """The knots as arrays."""
        return np.array(self.raw), np.array(self.observed)


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """How trees speak with a network: the click's logit is a mean of both, on one scale."""

    share: float
    """The trees' part of it."""
    scale: float
    shift: float
    """What brings the trees' scores to the network's logits."""

    def __call__(self, raw: Floats, scores: Floats) -> Floats:
        """(n, heads) of the network and the trees' (n,) -> (n, heads).

        What follows a click keeps its probability given one, and so does turning down.
        """
        own = np.clip(raw[:, 0], TINY, 1.0 - TINY)
        told = self.share * (self.scale * scores + self.shift)
        logit = (1.0 - self.share) * np.log(own / (1.0 - own)) + told
        click = 1.0 / (1.0 + np.exp(-logit))
        out = raw.copy()
        out[:, 0] = click
        out[:, 1:3] *= (click / own)[:, None]
        return out


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """How weighted fusion speaks with a network: the click's logit is a mean of both.

    Fusion's is log(Σ vote · c / (1 + patience · c) + faint) + anchor, of 1 / rank c by generator.
    """

    votes: tuple[float, ...]
    """One for each of `RankerFacts.close`."""
    patience: float
    faint: float
    anchor: float
    share: float
    """Fusion's part of it."""


class RankerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``ranker.json``."""

    features: tuple[str, ...]
    """Names, in the order of the matrix' columns."""
    means: tuple[float, ...]
    """Mean of each feature over the training rows: what it is replaced by to see its effect."""
    knots: dict[str, Knots]
    """Calibration by head."""
    surfaces: dict[str, dict[str, Knots]] = {}
    """Calibration by surface and head, where a surface has shown enough to have its own."""
    heads: tuple[str, ...] = FIRST_HEADS
    close: tuple[int, ...] = ()
    """Columns that fusion reads, its share in the network's answer."""
    voice: Voice | None = None
    """Of a network that gives ``logits``; others (older, in 8 bits) hear fusion themselves."""
    visitor: tuple[int, ...] = ()
    """Columns that say who asks: a network with an input of this name reads them apart, and once
    where they are the same in every row. Others (of older releases, in 8 bits) read whole rows."""
    vectors: VectorsOf = ""
    """Whose item vectors the network compares with the visitor's last items; "" for none."""
    history: int = 0
    """How many of the last items."""
    shares: dict[str, float] = {}
    """By kind of visit (`models.visits`): how much of the order is weighted fusion's; none is 0."""
    height: float = 0.0
    """What brings fusion's worth to the height of the values, see `ranking.value.shared`."""
    stray: float = 1.0
    """Standard deviation, in the click's logit, by which items were taken more or less on what came
    later than the ranker had expected: what no feature tells of an item."""
    mix: Mix | None = None
    """How the trees beside a network are heard; None where only one of them is there."""


class Taste(NamedTuple):
    """What the network compares: the candidates and what the visitor did last, as vectors."""

    candidates: Floats
    """(n, dim) of unit length, 0 where unknown."""
    history: Floats
    """(m, dim) of unit length, oldest first; m may be 0."""
    outcomes: NDArray[np.int64]
    """(m,): how each of them went, see `two_tower.outcome_codes`."""


def unit(vectors: Floats) -> Floats:
    """(n, dim) at length 1; what is 0 stays 0."""
    out = np.empty(vectors.shape, np.float32)
    _shrink(vectors, out)
    return out


@swift
def _shrink(vectors: Floats, out: Floats) -> None:
    for at in range(len(vectors)):
        total = np.float32(1e-18)
        for i in range(vectors.shape[1]):
            total += vectors[at, i] * vectors[at, i]
        scale = np.float32(1.0) / np.sqrt(total)
        for i in range(vectors.shape[1]):
            out[at, i] = vectors[at, i] * scale


def _bent(raw: Floats, curves: tuple[Curve, ...]) -> Floats:
    """(n, heads): each head's raw probabilities along its own curve."""
    out = np.empty(raw.shape, np.float32)
    for head, (x, y) in enumerate(curves):
        _bend(raw, head, x, y, out)
    return out


@kernel
def _bend(raw: Floats, head: int, x: Doubles, y: Doubles, out: Floats) -> None:
    last = len(x) - 2
    for at in range(len(raw)):
        told = float(raw[at, head])
        on = int(np.searchsorted(x, told, side="right")) - 1
        on = min(max(on, 0), last)
        run = x[on + 1] - x[on]
        along = (told - x[on]) / run if run > 0.0 else (1.0 if told >= x[on] else 0.0)
        along = min(max(along, 0.0), 1.0)
        bent = y[on] + along * (y[on + 1] - y[on])
        out[at, head] = (1.0 - SLOPE) * bent + SLOPE * told


class Said(NamedTuple):
    """What a ranker says of some rows."""

    heads: Floats
    """(n, heads): probabilities."""
    layer: Floats | None = None
    """(n, dim): the network's shared layer, from which every head is read; None without one."""


Scorer: TypeAlias = Callable[[Floats, Taste | None], Said]
"""Raw probabilities, and where they come from."""


class RankerModel:
    """The ranker of one release, a network or trees."""

    def __init__(
        self, facts: RankerFacts, scorer: Scorer, everybody: Everybody | None = None
    ) -> None:
        self.everybody = everybody
        self.trees: Trees | None = None
        """Those that speak with the network, or alone."""
        self.doubt: Floats | None = None
        """(dim, dim): how unsure the click head is of a layer, see `models.laplace`."""
        self.facts, self.features, self.heads = facts, facts.features, facts.heads
        self._means = np.array(facts.means, np.float32)
        self._scorer = scorer
        told = {"": facts.knots, **facts.surfaces}
        self._curves = {
            surface: tuple(knots.get(head, Knots()).curve() for head in self.heads)
            for surface, knots in told.items()
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open ``ranker.json`` and the network or trees beside it. Raises OSError or ValueError."""
        facts = msgspec.json.decode((folder / "ranker.json").read_bytes(), type=RankerFacts)
        grown = facts.mix is not None or (folder / TREES).is_file()
        trees = Trees.load(folder) if grown else None
        made = cls(facts, _scorer(folder, facts, trees), Everybody.load(folder))
        made.trees = trees
        laplace = Laplace.load(folder)
        made.doubt = laplace.root() if laplace else None
        return made

    def predict(self, features: Floats, taste: Taste | None = None, surface: str = "") -> Floats:
        """Calibrated probabilities (n, heads) for a matrix (n, features).

        Without `taste` the visitor counts as one without a history.
        """
        return self.said(features, taste, surface).heads

    def said(self, features: Floats, taste: Taste | None = None, surface: str = "") -> Said:
        """The same, with the layer that they are read from."""
        if not len(features):
            return Said(np.empty((0, len(self.heads)), np.float32))
        raw, layer = self._scorer(np.asfortranarray(features, np.float32), taste)
        return Said(_bent(raw, self._curves.get(surface, self._curves[""])), layer)

    def personal(self, rows: Rows, values: Floats, visit: Visit) -> Floats:
        """(n,): values of these rows, less where everybody would be shown them.

        Of newcomers nothing is known but what everybody takes: theirs stay as they are.
        """
        if self.everybody is None or visit == NEWCOMER:
            return values
        return self.everybody(rows, values)

    def value(self, features: Floats, weights: Mapping[str, float], surface: str = "") -> Floats:
        """Apply the value formula to the heads: Σ weight·probability, (n,)."""
        vector = np.array([weights.get(head, 0.0) for head in self.heads], np.float32)
        return self.predict(features, surface=surface) @ vector

    def contributions(
        self, features: Floats, weights: Mapping[str, float], surface: str = ""
    ) -> Floats:
        """How much each feature moved the value: value as it is less value at the feature's mean.

        (n, features); by occlusion, one feature at a time, so they need not add up.
        """
        n, width = features.shape
        without = np.repeat(features[:, None, :], width, axis=1)
        without[:, np.arange(width), np.arange(width)] = self._means
        replaced = self.value(without.reshape(n * width, width), weights, surface)
        return self.value(features, weights, surface)[:, None] - replaced.reshape(n, width)


class _Network:
    """An ONNX network, fed what it asks for."""

    def __init__(self, folder: Path, facts: RankerFacts) -> None:
        self._session = session(folder / "ranker.onnx")
        asked = {each.name: each.shape for each in self._session.get_inputs()}
        self._asked = frozenset(asked)
        self._close = np.array(facts.close, np.intp)
        self._votes = np.array(facts.voice.votes if facts.voice else (), np.float32)
        self._visitor = np.array(facts.visitor if "visitor" in asked else (), np.intp)
        gauss = Gauss.load(folder)
        self._curves = gauss.ramps() if gauss else None
        self.width = len(gauss.places) if gauss else len(facts.features)
        self._others = np.setdiff1d(np.arange(self.width), self._visitor)
        self._dim = int(asked["candidates"][1]) if "candidates" in asked else 0
        said = [each.name for each in self._session.get_outputs()]
        self._layered = len(said) > 1
        """A release of an older version has the probabilities alone."""
        self._voice = facts.voice if said[0] == "logits" else None

    def __call__(self, features: Floats, taste: Taste | None) -> Said:
        own, layer = self._own(features, taste)
        if self._voice is not None:
            own = probabilities(own, by_column(features), self._heard(self._voice))
        return Said(own, layer)

    def mixed(self, features: Floats, taste: Taste | None, trees: Floats, mix: Mix) -> Said:
        """With what trees say of each row, (n,)."""
        own, layer = self._own(features, taste)
        if self._voice is None:
            return Said(mix(own, trees), layer)
        heard = self._heard(self._voice, trees, (mix.share, mix.scale, mix.shift))
        return Said(probabilities(own, by_column(features), heard), layer)

    def _own(self, features: Floats, taste: Taste | None) -> Said:
        columns, count = by_column(features), len(features)
        feed = {"features": features}
        if "close" in self._asked:
            feed["close"] = np.ascontiguousarray(columns[self._close].T)
        if self._curves is not None:
            feed["scaled"] = self._curves.some(columns, self._others, count)
            visitors = 1 if alike(columns, self._visitor) else count
            feed["visitor"] = self._curves.some(columns, self._visitor, visitors)
        if self._dim:
            feed |= (taste or _nobody(count, self._dim))._asdict()
        asked = {name: array for name, array in feed.items() if name in self._asked}
        told: list[Floats] = self._session.run(None, asked)
        return Said(told[0], told[1] if self._layered else None)

    def _heard(
        self,
        voice: Voice,
        trees: Floats = NOTHING,
        mix: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Heard:
        told = voice.patience, voice.faint, voice.anchor, voice.share
        return Heard(self._close, self._votes, *told, trees, (*mix, SURE))


def _scorer(folder: Path, facts: RankerFacts, trees: Trees | None) -> Scorer:
    if trees is None:
        return _Network(folder, facts)
    if facts.mix is None:
        return _grown(trees, len(facts.heads))
    return _mixed(_Network(folder, facts), trees, facts.mix)


def _mixed(network: "_Network", trees: Trees, mix: Mix) -> Scorer:
    """Both are asked; the network reads the first columns, the trees any."""

    def score(features: Floats, taste: Taste | None) -> Said:
        return network.mixed(features[:, : network.width], taste, trees(features), mix)

    return score


def _nobody(n: int, dim: int) -> Taste:
    nothing = np.zeros((0, dim), np.float32)
    return Taste(np.zeros((n, dim), np.float32), nothing, np.zeros(0, np.int64))


def _grown(trees: Trees, heads: int) -> Scorer:
    """Trees order; every head's calibration makes its probability of the same score."""

    def score(features: Floats, _: Taste | None) -> Said:
        raw = 1.0 / (1.0 + np.exp(-trees(features)))
        return Said(np.repeat(raw[:, None], heads, axis=1))

    return score
