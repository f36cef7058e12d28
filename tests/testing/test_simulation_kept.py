"""A report that was broken off goes on: what is in its file is not run again."""

from pathlib import Path

import pytest

from palate.errors import BadInput
from palate.evaluation.simulator.run import Plan
from palate.evaluation.simulator.world import Act, Size, World, free, past
from palate.testing.simulation.report import Comparison, Outcome, Wish

SIZE = Size(items=120, users=30, topics=6, arrivals=4, newcomers=8)
BOTH = ("position", "cascade")


def compare(
    folder: Path, keep: Path, asked: str = "this", *, breaks: bool = False
) -> tuple[Outcome, list[int]]:
    """Popularity and the oracle, three seeds; and the seeds whose worlds were made."""
    made: list[int] = []

    def world(seed: int) -> tuple[World, list[Act]]:
        made.append(seed)
        if breaks and seed == 3:
            raise KeyboardInterrupt
        one = free(seed, SIZE)
        return one, list(past(one, seed, 1e9, 20))

    wish = Wish(
        BOTH, [1, 2, 3], Plan(days=2), train=False, nightly=False, world=world,
        policies=("popularity", "oracle"), asked=asked, keep=keep,
    )  # fmt: skip
    return Comparison(wish, folder, lambda *_: None).run(), made


def test_a_report_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    keep = tmp_path / "kept.jsonl"
    first, made = compare(tmp_path, keep, breaks=True)
    assert (first.whole, made) == (False, [1, 2, 3])
    second, made = compare(tmp_path, keep)
    assert (second.whole, made) == (True, [3])
    straight, made = compare(tmp_path, tmp_path / "other.jsonl")
    assert made == [1, 2, 3]
    assert second.runs == straight.runs, "as if it had never been broken off"
    assert compare(tmp_path, keep)[1] == [], "all of it is there"
    assert compare(tmp_path, keep, asked="that")[1] == [1, 2, 3], "something else was asked"


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    keep = tmp_path / "notes.txt"
    keep.write_text("milk, bread\n", "utf-8")
    with pytest.raises(BadInput, match=r"notes\.txt holds something else"):
        compare(tmp_path, keep)
