"""How sure the ranker is of a click: a Gaussian over the weights that read its shared layer.

The click head is linear in the network's last layer, so what is not known of its weights is a
Gaussian, and what follows for the logit of one item is exact (Laplace's approximation, MacKay 1992,
"The evidence framework applied to classification networks", eq. 2.6; on the last layer alone, Snoek
et al. 2015, arXiv:1502.05700).
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from palate.arrays import Doubles, Floats

FILE = "click_precision.npy"


class Laplace(NamedTuple):
    """A Gaussian around the click head's weights."""

    precision: Doubles
    """(dim, dim): of deviations; one of them, by the shared layer, is added to the click's logit
    as it is served."""

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` wrote; None where there is nothing. Raises OSError or ValueError."""
        file = folder / FILE
        return cls(np.load(file)) if file.is_file() else None

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        np.save(folder / FILE, self.precision)

    def root(self) -> Floats:
        """(dim, dim): the variance of an item's logit is |root · layer|². Raises ValueError."""
        try:
            lower = np.linalg.cholesky(self.precision)
        except np.linalg.LinAlgError as error:
            raise ValueError(f"{FILE} is no precision: {error}") from error
        return np.linalg.solve(lower, np.eye(len(lower))).astype(np.float32)
