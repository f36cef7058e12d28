"""The value formula: what the ranker expects becomes one number, with fusion heard beside it."""

from collections.abc import Mapping, Sequence

import numpy as np

from palate.arrays import Floats
from palate.errors import BadInput, Problem
from palate.models.ranker import TINY


def weights_of(formula: Mapping[str, float], heads: Sequence[str]) -> Floats:
    """The formula as a vector over `heads`; a head that it does not name weighs 0.

    Raises BadInput where it names a head that there is not, or none that there is.
    """
    unknown = sorted(set(formula) - set(heads))
    if unknown or not any(formula.values()):
        fix = f"the heads are {', '.join(heads)}; at least one needs a weight other than 0"
        problem = f"unknown head {unknown[0]!r}: {fix}" if unknown else fix
        raise BadInput(f"[ranking] value: {problem}", [Problem("/ranking/value", problem)])
    return np.array([formula.get(head, 0.0) for head in heads], np.float32)


FAINT = 1e-4
"""Worth of what no generator with a weight found: its logarithm has to be a number."""


def shared(values: Floats, worth: Floats, share: float, level: float) -> Floats:
    """(n,): value^(1 - share) · (worth · e^level)^share: the ranker's word beside fusion's.

    `level` brings fusion's worth to the height of the values, and is the same for every request: so
    an item's number depends on nothing but the item. With a share of 1 fusion orders. What is worth
    nothing or less to the ranker stays so, unless fusion orders alone.
    """
    if share <= 0.0:
        return values
    voice = np.log(worth + np.float32(FAINT)) + np.float32(level)
    if share >= 1.0:
        alone: Floats = np.exp(voice).astype(np.float32)
        return alone
    own = np.log(np.maximum(values, np.float32(TINY)))
    mixed = np.exp(np.float32(1.0 - share) * own + np.float32(share) * voice)
    both: Floats = np.where(values > 0, mixed, values).astype(np.float32)
    return both
