"""New items get their own part from the few events they have, in closed form.

The loss of the towers, seen from one item whose fellows stand still, is a Poisson regression: at
step s with user vector u the item is taken at the rate exp(u·v) / Z. With v = c + d, where c is
what content says, and d drawn from N(0, 1/λ) as those of known items are, one Newton step from
d = 0 solves

    (Σ_s p_s u uᵀ + λ) d = Σ_taken u - Σ_s p_s u,      p_s = exp(u·c) / Z

Without events d = 0 and the item lives on its content; with many it has what training gives it.
(Gaussian prior and a Newton step: Rasmussen and Williams 2006, eq. 3.18, for this likelihood.)
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from palate.arrays import Doubles, Floats
from palate.tables import read_table, write_table

NEWTON = 3
"""Newton steps: the first goes most of the way."""
FOLDER = "background"


class Background(NamedTuple):
    """Steps of the log that stand for all."""

    users: Doubles
    """(steps, dim): user vectors."""
    normals: Doubles
    """(steps,): log Z."""
    weight: float
    """How many steps each stands for."""
    prior: float = 1.0
    """λ: one over the mean square of known items' own parts."""

    def of(self, steps: int) -> "Background":
        """The same, standing for so many steps."""
        return self._replace(weight=steps / max(len(self.users), 1))

    def save(self, folder: Path) -> None:
        """Write it beside the towers it belongs to."""
        (folder / FOLDER).mkdir()
        scalars = np.array([self.weight, self.prior])
        users, normals = self.users.astype(np.float32), self.normals.astype(np.float32)
        write_table(folder / FOLDER, _Saved(users, normals, scalars))

    @classmethod
    def load(cls, folder: Path) -> "Background | None":
        """Read what `save` wrote; None in releases older than it. Raises OSError, ValueError."""
        if not (folder / FOLDER).is_dir():
            return None
        saved = read_table(folder / FOLDER, _Saved)
        users, normals = saved.users.astype(np.float64), saved.normals.astype(np.float64)
        return cls(users, normals, float(saved.scalars[0]), float(saved.scalars[1]))


class _Saved(NamedTuple):
    users: Floats
    normals: Floats
    scalars: Doubles


def solve(wanted: Doubles, every: Background, content: Floats) -> Doubles:
    """(dim,): d of one item, from the sum of the user vectors that took it, (dim,)."""
    users, d = every.users, np.zeros(len(content))
    for _ in range(NEWTON):
        rates = every.weight * np.exp(np.minimum(users @ (content + d) - every.normals, 0.0))
        slope = wanted - rates @ users - every.prior * d
        bend = (users * rates[:, None]).T @ users + every.prior * np.eye(len(d))
        d = d + np.linalg.solve(bend, slope)
    return d
