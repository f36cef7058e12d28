"""What a request may be shown, as a mask and, where it is little, as rows."""

import numpy as np

from palate.funnel.types import Matching


def test_of_a_mask_that_goes_beyond_what_is_given_only_given_rows_are_told() -> None:
    mask = np.ones(9, np.bool_)
    assert Matching.of(mask, size=4).rows.tolist() == [0, 1, 2, 3]
    assert Matching.of(mask).rows.tolist() == list(range(9))
