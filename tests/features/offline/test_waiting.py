import threading
from pathlib import Path

import numpy as np

from palate.features.offline import waiting
from palate.features.offline.waiting import Page, Waiting


def page(name: str, rows: int = 3, columns: int = 4) -> Page:
    dice = np.random.Generator(np.random.PCG64(len(name)))
    values = dice.normal(size=(rows, columns)).astype(np.float32)
    return Page(name, tuple(f"x{n}" for n in range(columns)), values)


def test_features_wait_bit_for_bit_until_they_are_done(tmp_path: Path) -> None:
    table = Waiting(tmp_path / "w.db", 10)
    table.put([page("a"), page("bb")])
    found = table.find(["bb", "ccc"])
    assert list(found) == ["bb"]
    assert found["bb"].names == ("x0", "x1", "x2", "x3")
    np.testing.assert_array_equal(found["bb"].features, page("bb").features)
    table.done(["bb"])
    assert list(table.find(["a", "bb"])) == ["a"]


def test_the_oldest_go_where_the_room_is_used_up(tmp_path: Path, monkeypatch: object) -> None:
    monkeypatch.setattr(waiting, "PRUNE_EVERY", 1)  # type: ignore[attr-defined]
    table = Waiting(tmp_path / "w.db", 1)
    names = [f"page-{n}" for n in range(40)]
    for name in names:
        table.put([page(name, 100, 160)])
    left = table.find(names)
    assert 0 < len(left) < 30
    assert names[-1] in left
    assert names[0] not in left


def test_whom_to_forget_is_kept_until_it_is_done(tmp_path: Path) -> None:
    table = Waiting(tmp_path / "w.db", 1)
    table.forget([1, 2**64 - 1])
    table.forget([1])
    assert sorted(Waiting(tmp_path / "w.db", 1).forgotten()) == [1, 2**64 - 1]
    table.blurred([1])
    assert table.forgotten() == [2**64 - 1]


def test_several_write_at_once(tmp_path: Path) -> None:
    def write(name: str) -> None:
        table = Waiting(tmp_path / "w.db", 10)
        for n in range(20):
            table.put([page(f"{name}{n}")])

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        len(Waiting(tmp_path / "w.db", 10).find([f"{a}{n}" for a in "ab" for n in range(20)])) == 40
    )
