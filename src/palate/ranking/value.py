"""The value formula: what the ranker expects of an item becomes one number."""

from collections.abc import Mapping, Sequence

import numpy as np

from palate.arrays import Floats
from palate.errors import BadInput, Problem


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
