"""Networks at serving time: ONNX Runtime on one thread, the same on every machine.

The smallest of them, a user tower of one block, is a compiled loop instead: its seventy operations
are of a few thousand products each, so that a runtime spends its time between them. So is the last
step of the ranker.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from palate.arrays import Floats
from palate.jit import Single, exp2, kernel, ln, swift

REFUSED = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoModel,
    errors.NotImplemented,
    RuntimeError,
)


def session(file: Path) -> onnxruntime.InferenceSession:
    """Open a network. Raises ValueError naming the file where it is not one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            file.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except REFUSED as error:
        raise ValueError(f"{file} is not a network this build can run: {error}") from error


ONE, LOG2_E, FARTHEST = np.float32(1.0), np.float32(1.4426950408889634), np.float32(126.0)


class LastStep(NamedTuple):
    """The weights of a user tower of one block; of a matrix each row gives one number."""

    outcomes: Floats
    """(3, dim): beside an item's vector, by how it went, …"""
    recency: Floats
    """(buckets, dim): … and by how long it was until the next one."""
    distance: Floats
    """(heads, history): what an event counts by how many came after it, …"""
    time: Floats
    """(buckets, heads): … and by how long ago it was."""
    norms: Floats
    """(3, 2, dim): scale and shift before the attention, before what comes of it, and at last."""
    attention: Floats
    """(4, dim, dim): of what is asked, of keys, of values, and of what was heard."""
    wide: Floats
    """(4 · dim, dim): values, and behind them their gates."""
    narrow: Floats
    """(dim, 2 · dim)."""
    gates: Floats
    """(2, dim, dim): of both residuals."""
    shifts: Floats
    """(2, dim): theirs."""

    def fits(self, dim: int, history: int) -> bool:
        """Whether it is as wide and reads as many events; its loop looks at no bounds."""
        square = (dim, dim)
        matrices = self.attention.shape == (4, *square) and self.gates.shape == (2, *square)
        wide = self.wide.shape == (4 * dim, dim) and self.narrow.shape == (dim, 2 * dim)
        rows = all(each.shape[-1] == dim for each in (self.outcomes, self.recency, self.norms))
        return matrices and wide and rows and self.distance.shape[1] >= history

    def __call__(
        self,
        vectors: Floats,
        outcomes: NDArray[np.int64],
        waits: NDArray[np.int64],
        ages: NDArray[np.int64],
    ) -> Floats:
        """(dim,): what the events, (n, dim) and three of (n,), come to."""
        return _newest(self, vectors, outcomes, waits, ages)


class LastSteps(NamedTuple):
    """One such tower, or several that were averaged: each reads and gives its part of a vector."""

    members: tuple[LastStep, ...]

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """Read what `save` wrote; None where there is nothing. Raises OSError or ValueError."""
        if not file.is_file():
            return None
        try:
            with np.load(file) as held:
                many = 1 + max((int(name.partition(APART)[2] or 0) for name in held), default=0)
                return cls(tuple(_member(held, number) for number in range(many)))
        except (BadZipFile, EOFError, KeyError) as error:
            raise ValueError(f"{file} holds no user tower: {error}") from error

    def fits(self, dim: int, history: int) -> bool:
        """Whether they are as wide together and read as many events."""
        width, rest = divmod(dim, len(self.members))
        return not rest and all(each.fits(width, history) for each in self.members)

    def save(self, file: Path) -> None:
        """Write one file; what is of the first has plain names, as where there is but one."""
        told = {
            f"{name}{APART}{number}" if number else name: array
            for number, each in enumerate(self.members)
            for name, array in each._asdict().items()
        }
        np.savez(file, **told)

    def __call__(
        self,
        vectors: Floats,
        outcomes: NDArray[np.int64],
        waits: NDArray[np.int64],
        ages: NDArray[np.int64],
    ) -> Floats:
        """(dim,): what the events, (n, dim) and three of (n,), come to."""
        if len(self.members) == 1:
            return self.members[0](vectors, outcomes, waits, ages)
        parts = np.split(vectors, len(self.members), axis=1)
        told = [
            each(np.ascontiguousarray(part), outcomes, waits, ages)
            for each, part in zip(self.members, parts, strict=True)
        ]
        return np.concatenate(told) / np.float32(len(told))


APART = "."
"""Between an array's name and the number of its tower."""


def _member(held: Mapping[str, Floats], number: int) -> LastStep:
    names = (f"{name}{APART}{number}" if number else name for name in LastStep._fields)
    return LastStep(*(np.ascontiguousarray(held[name], np.float32) for name in names))


EPSILON = np.float32(1e-5)
"""Beside a variance, as torch has it."""


@kernel
def _newest(
    tower: LastStep,
    vectors: Floats,
    outcomes: NDArray[np.int64],
    waits: NDArray[np.int64],
    ages: NDArray[np.int64],
) -> Floats:
    """`training.towers.UserTower.newest`, where every event is read and one asks.

    That one's question goes through the keys' weights once, instead of every event, and so do the
    events' shares through the values'.
    """
    count, dim = vectors.shape
    told, normal = np.empty((count, dim), np.float32), np.empty((count, dim), np.float32)
    for at in range(count):
        for i in range(dim):
            told[at, i] = vectors[at, i] + tower.outcomes[outcomes[at], i]
            told[at, i] += tower.recency[waits[at], i]
        normal[at] = _normal(told[at], tower.norms[0])
    heard, asked = np.zeros(dim, np.float32), _times(tower.attention[0], normal[count - 1])
    width = dim // len(tower.distance)
    for head in range(len(tower.distance)):
        part = slice(head * width, (head + 1) * width)
        wanted = _through(tower.attention[1, part], asked[part])
        shares = _times(normal, wanted) / np.float32(np.sqrt(width))
        for at in range(count):
            shares[at] += tower.distance[head, count - 1 - at] + tower.time[ages[at], head]
        shares = np.exp(shares - shares.max())
        shares /= shares.sum()
        heard[part] = _times(tower.attention[2, part], _through(normal, shares))
    x = _gated(told[count - 1], _times(tower.attention[3], heard), tower, 0)
    wide = _times(tower.wide, _normal(x, tower.norms[1]))
    half = len(wide) // 2
    thought = _times(tower.narrow, _opened(wide[:half] * wide[half:], wide[half:]))
    return _normal(_gated(x, thought, tower, 1), tower.norms[2])


@swift
def _times(matrix: Floats, vector: Floats) -> Floats:
    """(rows,): each row's product with a vector."""
    out = np.empty(len(matrix), np.float32)
    for row in range(len(matrix)):
        total = np.float32(0.0)
        for i in range(len(vector)):
            total += matrix[row, i] * vector[i]
        out[row] = total
    return out


@swift
def _through(matrix: Floats, shares: Floats) -> Floats:
    """(columns,): the sum of rows by their shares."""
    out = np.zeros(matrix.shape[1], np.float32)
    for row in range(len(matrix)):
        for i in range(len(out)):
            out[i] += shares[row] * matrix[row, i]
    return out


@swift
def _normal(vector: Floats, norm: Floats) -> Floats:
    """Of mean 0 and variance 1, then scaled and shifted."""
    mean, square = np.float32(0.0), np.float32(0.0)
    for i in range(len(vector)):
        mean += vector[i]
    mean /= np.float32(len(vector))
    for i in range(len(vector)):
        square += (vector[i] - mean) * (vector[i] - mean)
    scale = np.float32(1.0) / np.sqrt(square / np.float32(len(vector)) + EPSILON)
    out = np.empty(len(vector), np.float32)
    for i in range(len(vector)):
        out[i] = (vector[i] - mean) * scale * norm[0, i] + norm[1, i]
    return out


@kernel
def _gated(x: Floats, more: Floats, tower: LastStep, which: int) -> Floats:
    """A residual: as much of `more` as its gate lets through."""
    gate = _times(tower.gates[which], x)
    let = _opened(more, gate + tower.shifts[which])
    for i in range(len(x)):
        let[i] += x[i]
    return let


@kernel
def _opened(values: Floats, gate: Floats) -> Floats:
    """Each number times the logistic of its gate."""
    out = np.empty(len(values), np.float32)
    for i in range(len(values)):
        out[i] = values[i] / (np.float32(1.0) + np.exp(-gate[i]))
    return out


class Heard(NamedTuple):
    """What is heard beside the ranker's logits; see `models.ranker`, `Voice` and `Mix`."""

    close: NDArray[np.intp]
    votes: Floats
    patience: float
    faint: float
    anchor: float
    share: float
    trees: Floats
    """(n,); empty where there are none."""
    mix: tuple[float, float, float, float]
    """Share, scale and shift, and how far from 0 the network's own logit may lie."""


@swift
def probabilities(logits: Floats, columns: Floats, heard: Heard) -> Floats:
    """(n, heads): click, what follows one (with its own probability given a click), negative."""
    click = logits[:, 0].copy()
    if len(heard.votes):
        worth = np.full(len(click), heard.faint, np.float32)
        patience = np.float32(heard.patience)
        for place in range(len(heard.votes)):
            column, vote = heard.close[place], heard.votes[place]
            for i in range(len(click)):
                close = columns[column, i]
                worth[i] += close * vote / (ONE + patience * close)
        part, anchor = np.float32(heard.share), np.float32(heard.anchor)
        for i in range(len(click)):
            click[i] = (ONE - part) * click[i] + part * (ln(worth[i]) + anchor)
    if len(heard.trees):
        grown, scale, shift, sure = heard.mix
        for i in range(len(click)):
            own = min(max(click[i], -sure), sure)
            click[i] = (1.0 - grown) * own + grown * (scale * heard.trees[i] + shift)
    out = np.empty(logits.shape, np.float32)
    for i in range(len(click)):
        out[i, 0] = _share_of(click[i])
        out[i, 1] = out[i, 0] * _share_of(logits[i, 1])
        out[i, 2] = out[i, 0] * _share_of(logits[i, 2])
        out[i, 3] = _share_of(logits[i, 3])
    return out


@swift
def _share_of(logit: Single) -> Single:
    """Logistic function."""
    return ONE / (ONE + exp2(min(-logit * LOG2_E, FARTHEST)))
