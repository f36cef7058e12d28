"""The ranker, serving side: features in, calibrated probabilities out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from palate.arrays import Floats
from palate.models.onnx import session

HEADS = ("click", "positive", "negative")
"""What the network predicts of a shown item, in this order."""

SLOPE = 1e-4
"""Calibration has flat steps; this much of the raw probability keeps the order in them."""


class Knots(msgspec.Struct, frozen=True):
    """A calibration curve: raw probability -> observed share, linear between its knots."""

    raw: tuple[float, ...] = (0.0, 1.0)
    observed: tuple[float, ...] = (0.0, 1.0)

    def apply(self, raw: Floats) -> Floats:
        """Calibrated probabilities in [0, 1], strictly increasing with `raw`."""
        curve = np.interp(raw, self.raw, self.observed)
        return ((1.0 - SLOPE) * curve + SLOPE * raw).astype(np.float32)


class RankerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``ranker.json``."""

    features: tuple[str, ...]
    """Names, in the order of the matrix' columns."""
    means: tuple[float, ...]
    """Mean of each feature over the training rows: what it is replaced by to see its effect."""
    knots: dict[str, Knots]
    """Calibration by head."""


class RankerModel:
    """The network of one release."""

    def __init__(self, facts: RankerFacts, network: Path) -> None:
        self.features = facts.features
        self.heads = HEADS
        self._means = np.array(facts.means, np.float32)
        self._knots = [facts.knots.get(head, Knots()) for head in HEADS]
        self._session = session(network)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open ``ranker.json`` and ``ranker.onnx``. Raises OSError or ValueError."""
        facts = msgspec.json.decode((folder / "ranker.json").read_bytes(), type=RankerFacts)
        return cls(facts, folder / "ranker.onnx")

    def predict(self, features: Floats) -> Floats:
        """Calibrated probabilities (n, heads) for a matrix (n, features)."""
        if not len(features):
            return np.empty((0, len(self.heads)), np.float32)
        raw = self._session.run(None, {"features": np.ascontiguousarray(features, np.float32)})[0]
        return np.stack([k.apply(raw[:, i]) for i, k in enumerate(self._knots)], axis=1)

    def value(self, features: Floats, weights: Mapping[str, float]) -> Floats:
        """Apply the value formula to the heads: Σ weight·probability, (n,)."""
        vector = np.array([weights.get(head, 0.0) for head in self.heads], np.float32)
        return self.predict(features) @ vector

    def contributions(self, features: Floats, weights: Mapping[str, float]) -> Floats:
        """How much each feature moved the value: value as it is less value at the feature's mean.

        (n, features); by occlusion, one feature at a time, so they need not add up.
        """
        n, width = features.shape
        without = np.repeat(features[:, None, :], width, axis=1)
        without[:, np.arange(width), np.arange(width)] = self._means
        replaced = self.value(without.reshape(n * width, width), weights).reshape(n, width)
        return self.value(features, weights)[:, None] - replaced
