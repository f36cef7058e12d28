import numpy as np

from palate.features.known import frozen
from palate.features.reading.relate import _tower
from palate.features.sources import CANDIDATE
from palate.models.two_tower import IN_ORDER, ItemTable


def test_cosines_by_the_tower_are_the_same_from_a_byte_a_number() -> None:
    dice = np.random.Generator(np.random.PCG64(4))
    vectors = dice.standard_normal((40, 16)).astype(np.float32) * 3
    nothing, known = np.empty((0, 16), np.float32), np.arange(40) % 5 > 0
    packed = ItemTable(vectors, known, nothing, nothing).packed()
    rows = np.array([3, 39, 5, 7, 60], np.int32)
    mine = vectors[:4] / np.linalg.norm(vectors[:4], axis=1, keepdims=True)
    order = dice.permutation(40).astype(np.int32)
    elsewhere = np.argsort(order).astype(np.int32)
    told = []
    for held, places in (
        (vectors, IN_ORDER),
        (packed.vectors, IN_ORDER),
        (packed.vectors[order], frozen(elsewhere)),
    ):
        raw = np.zeros((len(CANDIDATE), len(rows)), np.float32)
        _tower(raw, rows, (frozen(held), frozen(known), places), mine, np.ones(4, np.float32))
        told.append(raw)
    assert not told[1][:, 2].any(), "the tower does not know it"
    assert not told[1][:, 4].any(), "beyond its rows"
    assert np.abs(told[0]).max() > 0.9
    np.testing.assert_allclose(told[0], told[1], atol=0.01)
    np.testing.assert_array_equal(told[1], told[2])
