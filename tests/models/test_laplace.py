"""How sure the click head is: a variance for every layer, and nothing where a release has none."""

from pathlib import Path

import numpy as np
import pytest

from palate.models.laplace import FILE, Laplace

DICE = np.random.Generator(np.random.PCG64(4))
SQUARE = DICE.normal(size=(6, 6))
PRECISION = SQUARE @ SQUARE.T + np.eye(6)


def test_the_variance_is_that_of_the_gaussian(tmp_path: Path) -> None:
    Laplace(PRECISION).save(tmp_path)
    held = Laplace.load(tmp_path)
    assert held is not None
    layers = DICE.normal(size=(20, 6)).astype(np.float32)
    told = ((layers @ held.root().T) ** 2).sum(axis=1)
    exact = np.einsum("ij,jk,ik->i", layers, np.linalg.inv(PRECISION), layers)
    np.testing.assert_allclose(told, exact, rtol=1e-4)
    drawn = DICE.multivariate_normal(np.zeros(6), np.linalg.inv(PRECISION), 20_000)
    np.testing.assert_allclose((drawn @ layers.T).var(axis=0), told, rtol=0.06)


def test_a_release_of_an_older_version_has_none(tmp_path: Path) -> None:
    assert Laplace.load(tmp_path) is None


def test_what_is_no_precision_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=FILE):
        Laplace(-np.eye(3)).root()
