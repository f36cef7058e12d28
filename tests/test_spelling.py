"""What a message says of a name that there is not."""

import pytest

from palate.spelling import hint


@pytest.mark.parametrize(
    ("name", "there", "told"),
    [
        ("titel", ["title", "creator"], "did you mean 'title'?"),
        ("zzz", ["title", "creator"], "one of: title, creator"),
        ("", ["title"], "one of: title"),
        ("zzz", [], "one of: none"),
    ],
)
def test_the_nearest_name_is_told_or_all_that_there_are(
    name: str, there: list[str], told: str
) -> None:
    assert hint(name, there) == told


def test_a_name_is_written_as_people_write_it_there() -> None:
    assert hint("user", ["user_id"], str) == "did you mean user_id?"
