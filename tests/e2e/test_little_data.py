"""Files with hardly anything in them: every command ends in a result or one clear sentence."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.cli.running import within

from palate.settings import FILE

QUICK = """[training]
min_events = 1
dim = 8
history = 8
epochs = 1
ranker_queries = 150
ranker_candidates = 12
ranker_epochs = 1
"""


def histories(users: int, each: int, items: int) -> str:
    dice = np.random.default_rng(3)
    taken = [dice.permutation(items)[:each] for _ in range(users)]
    lines = [f"u{u},i{i},{n}" for u, row in enumerate(taken) for n, i in enumerate(row.tolist())]
    return "\n".join(["user,item,order", *lines]) + "\n"


def events(kind: str, *, step: int = 3_600) -> str:
    """Thirty people and eight of twenty items each."""
    dice = np.random.default_rng(3)
    lines = [
        f"u{u},i{i},{kind},{1_700_000_000 + n * step}"
        for u in range(30)
        for n, i in enumerate(dice.permutation(20)[:8].tolist())
    ]
    return "\n".join(["user_id,item_id,kind,time", *lines]) + "\n"


class Case(NamedTuple):
    """A file, and how each command ends on it; what `train` says."""

    file: str
    imported: int
    tuned: int
    trained: int
    says: str
    judged: int


TOO_LITTLE = "Nothing was trained, and what is counted live goes on serving: "
CASES = {
    "two users and three items": Case(
        "user,item,order\n1,a,2\n1,b,1\n2,a,1\n2,c,3\n", 0, 2, 1, f"{TOO_LITTLE}a two-tower", 0
    ),
    "nothing": Case("", 2, 2, 1, "learning begins at 1 engagement", 2),
    "a head and no rows": Case("user,item,order\n", 2, 2, 1, "and there are 0", 2),
    "one user": Case(histories(1, 60, 60), 0, 0, 1, "10 people in the end of it, and there are", 0),
    "one item": Case(histories(60, 1, 1), 0, 2, 1, "over 5 items, and there are", 2),
    "nothing but dislikes": Case(events("dislike"), 0, 2, 1, "and there are 0 (clicks", 2),
    "nothing but purchases": Case(events("purchase"), 0, 0, 0, "is live.", 0),
    "all at one moment": Case(events("view", step=0), 0, 2, 1, "no better than popularity", 2),
}


def palate(*arguments: str) -> tuple[int, str]:
    """The command: its exit code, and all that it said in one line."""
    done = within(*arguments)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("case", CASES)
def test_every_command_ends_well_or_in_a_sentence(tmp_path: Path, case: str) -> None:
    file, imported, tuned, trained, says, judged = CASES[case]
    path, site = tmp_path / "some.csv", tmp_path / "site"
    path.write_text(file)
    assert palate("init", str(site))[0] == 0
    (site / FILE).write_text(QUICK)
    where, what = ("-s", str(site)), "events" if "kind" in file else "histories"
    create = ["--create-items"] if what == "events" else []
    assert palate("import", what, str(path), *create, *where)[0] == imported
    ends = [
        palate("tune", "--budget", "2", "--no-train", *where),
        palate("train", *where),
        palate("evaluate", "--no-train", *where),
    ]
    assert [code for code, _ in ends] == [tuned, trained, judged], ends
    assert says in ends[1][1]
    for code, told in ends:
        assert code != 2 or told.startswith("palate: too few events for the `time` split")
