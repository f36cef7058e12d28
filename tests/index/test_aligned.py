import numpy as np

from palate.index.aligned import Aligned

HELD = {"content": np.arange(12.0).reshape(6, 2), "code": np.arange(6)}


def test_a_column_follows_every_move() -> None:
    once = Aligned(HELD).take(np.array([5, 1, 3, 2]), 6)
    twice = once.take(np.array([True, False, True, True]), 4).take(slice(1, 3), 3)
    assert once["code"].tolist() == [5, 1, 3, 2]
    assert twice["code"].tolist() == [3, 2]
    assert twice["content"].tolist() == [[6.0, 7.0], [4.0, 5.0]]
    assert list(twice) == ["content", "code"]


def test_parts_of_one_whole_are_joined_and_so_are_others() -> None:
    front, back = Aligned(HELD).take(slice(4, 6), 6), Aligned(HELD).take(slice(0, 2), 6)
    assert front.followed(back)["code"].tolist() == [4, 5, 0, 1]
    assert front.followed({n: each[:1] for n, each in HELD.items()})["code"].tolist() == [4, 5, 0]
    assert Aligned(HELD).followed(back)["code"].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
