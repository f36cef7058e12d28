"""A request's random streams are numpy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.dice import dice

LARGEST = 2**64 - 1


@given(st.lists(st.integers(0, LARGEST), min_size=1, max_size=8))
def test_a_stream_is_what_numpy_draws_from_the_same_seed(seed: list[int]) -> None:
    theirs = np.random.default_rng(np.random.SeedSequence(seed))
    assert dice(*seed).integers(0, LARGEST, 4, np.uint64).tolist() == (
        theirs.integers(0, LARGEST, 4, np.uint64).tolist()
    )


def test_arrays_numbers_are_numbers_and_what_is_below_0_is_refused() -> None:
    assert dice(7, int(np.int32(3))).random() == dice(np.int32(7), np.int64(3)).random()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 0"):
        dice(1, -1)
