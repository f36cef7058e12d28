"""The network in whole numbers: weights by channel and activations in 8 bits.

Static quantisation (ONNX Runtime) of the form that reads rows as a whole: the ranges of the
activations are those of training rows. It ships only where the order that it makes loses next to
nothing against the network as it was, and where it answers much sooner on this machine: a processor
without 8-bit dot products gains nothing, and what a stopwatch finds level is not to be decided by
its noise.
"""

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from palate.arrays import Floats
from palate.models.ranker import RankerModel, Taste
from palate.ranking.value import weights_of
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.forms.served import feed_of, write_by_row
from palate.training.ranking.lists import RankedList, ndcg

LOSS = 0.002
"""Share of NDCG@10 that may be lost."""
FEW, SHOWN = 200, 60
"""Lists that are judged, and those whose rows set the ranges."""
SLOWEST = 0.8
"""Share of the whole ranker's time that it may take. The same network was measured at .96 to 1.14
on one busy machine: nearer to 1 the same log and seed would not give the same file."""
TRIES = 50
"""Answers of each that are timed."""
NETWORK, WHOLE = "ranker.onnx", "ranker.int8.onnx"


class Reading(NamedTuple):
    """What the ranker in the folder is given, and how its heads are weighed."""

    columns: Sequence[int]
    """Of the lists' features."""
    value: Mapping[str, float]

    def features(self, each: RankedList) -> Floats:
        """(kept, columns) of one list."""
        return each.features.take(self.columns, axis=1)


def quantise(
    folder: Path, fitted: Fitted, lists: Sequence[RankedList], read: Reading
) -> dict[str, float]:
    """Put the 8-bit network in the place of the one in `folder` where it is as good and faster.

    What is judged is the ranker as it serves, with trees where it has them, on lists that did not
    set the ranges. (It has learnt from all of them: this tells what whole numbers lose, not how
    good it is.) Gives the share of NDCG@10 that it loses, its time as a share of the other's, and
    whether it shipped.
    """
    lists = [each for each in lists if each.labels.any()][-FEW:]
    if not lists:
        return {}
    many = min(SHOWN, len(lists) // 2)
    ranging, lists = lists[:many] or lists, lists[many:]
    model = RankerModel.load(folder)
    before = _level(model, fitted, lists, read)
    plain, small = folder / NETWORK, folder / WHOLE
    kept = plain.read_bytes()
    write_by_row(plain, fitted.network)
    _reduce(plain, small, _Rows(fitted, ranging))
    small.replace(plain)
    reduced = RankerModel.load(folder)
    lost = (before - _level(reduced, fitted, lists, read)) / max(before, 1e-9)
    longest = max(lists, key=lambda each: len(each.kept))
    time = _time_of(reduced, model, read.features(longest), fitted.taste(longest))
    shipped = lost <= LOSS and time < SLOWEST
    if not shipped:
        plain.write_bytes(kept)
    return {
        "ranker/int8/loss": round(lost, 6),
        "ranker/int8/time": round(time, 3),
        "ranker/int8/shipped": float(shipped),
    }


def _time_of(
    reduced: RankerModel, whole: RankerModel, features: Floats, taste: Taste | None
) -> float:
    """How long the 8-bit network takes for a list, as a share of the other: medians, in turn."""
    took: list[list[float]] = [[], []]
    for _ in range(TRIES):
        for spent, model in zip(took, (reduced, whole), strict=True):
            started = perf_counter()
            model.predict(features, taste)
            spent.append(perf_counter() - started)
    return median(took[0]) / median(took[1])


def _reduce(plain: Path, small: Path, rows: CalibrationDataReader) -> None:
    with _quietly():
        quantize_static(
            str(plain),
            str(small),
            rows,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The tool prints every shape that it meets, and warns of what it was not asked to do."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """Training rows as the network reads them, list by list."""

    def __init__(self, fitted: Fitted, lists: Sequence[RankedList]) -> None:
        self._feeds = _feeds(fitted, lists)

    def get_next(self) -> dict[str, Any] | None:
        """The next list's inputs; None after the last."""
        return next(self._feeds, None)


def _feeds(fitted: Fitted, lists: Sequence[RankedList]) -> Iterator[dict[str, Any]]:
    for each in lists:
        feed: dict[str, Any] = dict(feed_of(fitted.network, fitted.inputs(each), fitted.gauss))
        taste = fitted.taste(each)
        yield feed | (taste._asdict() if taste else {})


def _level(model: RankerModel, fitted: Fitted, lists: Sequence[RankedList], read: Reading) -> float:
    weights = weights_of({h: w for h, w in read.value.items() if h in model.heads}, model.heads)
    served: list[Floats] = [
        model.predict(read.features(each), fitted.taste(each)) @ weights for each in lists
    ]
    return float(ndcg(lists, np.concatenate(served)).mean())
