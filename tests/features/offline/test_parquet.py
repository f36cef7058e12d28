"""Parquet in a folder: all or nothing, whenever it is killed, and every row once for a reader."""

from collections.abc import Callable
from errno import ENOSPC
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from palate import disk
from palate.errors import CorruptStore, Unavailable
from palate.features.offline import parquet
from palate.features.offline.parquet import ParquetStore
from palate.features.offline.protocol import Landing
from palate.testing.offline_store import Empty, OfflineStoreContract, part_of, rows_of


class TestParquetStore(OfflineStoreContract):
    @pytest.fixture
    def empty(self, tmp_path: Path) -> Empty:
        numbers = count()
        return lambda: ParquetStore(tmp_path / str(next(numbers)), write=True)


class Killed(BaseException):
    """The process ends here."""


def seen(folder: Path) -> list[int]:
    """What a stranger reads who only knows where the files lie."""
    files = sorted(folder.glob("shown/*/*.parquet"))
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in files]
    return sorted(at for frame in frames for at in frame["log_position"].to_list())


def killed_after(steps: int) -> Callable[[Path], None]:
    """A sync that ends the process at its n-th call: syncs stand between all that is done."""
    left, real = iter(range(steps)), disk.sync

    def sync(path: Path) -> None:
        real(path)
        if next(left, None) is None:
            raise Killed

    return sync


@pytest.mark.parametrize("steps", range(10))
def test_what_a_full_disk_left_half_done_is_done_first_once_there_is_room(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, small = ParquetStore(tmp_path, write=True), [part_of(1, 2), part_of(3, 4)]
    store.land(Landing(4, [(part, rows_of(part)) for part in small]))
    whole, new = part_of(1, 4), part_of(5, 6, day="2026-11-30")
    landing = Landing(6, [(whole, rows_of(whole)), (new, rows_of(new))], small)
    left, real = iter(range(steps)), disk.sync

    def full(path: Path) -> None:
        real(path)
        if next(left, None) is None:
            raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(parquet, "sync", full)
        with pytest.raises(Unavailable, match="No space left"):
            store.land(landing)
        with pytest.raises(Unavailable, match="No space left"):
            store.land(landing)
    held = store.held()
    assert held.position in {4, 6}
    if held.position == 4:
        store.land(landing)
    assert store.held().position == 6
    assert set(store.held().parts) == {whole.name, new.name}
    assert seen(tmp_path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("steps", range(11))
def test_killed_at_any_moment_it_is_as_before_or_as_after(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, small = ParquetStore(tmp_path, write=True), [part_of(1, 2), part_of(3, 4)]
    store.land(Landing(4, [(part, rows_of(part)) for part in small]))
    whole, new = part_of(1, 4), part_of(5, 6, day="2026-11-30")
    landing = Landing(6, [(whole, rows_of(whole)), (new, rows_of(new))], small)
    with monkeypatch.context() as patched:
        patched.setattr(parquet, "sync", killed_after(steps))
        try:
            store.land(landing)
        except Killed:
            read = seen(tmp_path)
            assert len(read) == len(set(read)), "nobody sees a row twice, also in between"
    again = ParquetStore(tmp_path, write=True)
    held = again.held()
    assert (held.position, seen(tmp_path)) in [(4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 5, 6])]
    assert again.scan(held.of("shown")).collect()["log_position"].to_list() == seen(tmp_path)
    again.land(landing)
    assert (again.held().position, seen(tmp_path)) == (6, [1, 2, 3, 4, 5, 6])
    assert not list((tmp_path / "aside").iterdir())


def test_every_folder_that_got_a_name_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, part, synced, real = ParquetStore(tmp_path, write=True), part_of(1, 2), [], disk.sync

    def sync(path: Path) -> None:
        real(path)
        synced.append(path)

    monkeypatch.setattr(parquet, "sync", sync)
    store.land(Landing(2, [(part, rows_of(part))]))
    day = (tmp_path / f"{part.name}.parquet").parent
    assert {day, day.parent, tmp_path} <= set(synced)
    assert day.parent == tmp_path / "shown"


def test_files_say_which_version_of_the_columns_they_have(tmp_path: Path) -> None:
    store, part = ParquetStore(tmp_path, write=True), part_of(1, 2)
    store.land(Landing(2, [(part, rows_of(part))]))
    told = pl.read_parquet_metadata(tmp_path / f"{part.name}.parquet")
    assert told["palate.schema"] == "1"
    assert told["palate.finished"] == "false"


def test_a_store_of_another_version_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"schema": 99, "position": 0, "parts": []}')
    with pytest.raises(CorruptStore, match="schema 99"):
        ParquetStore(tmp_path, write=True).held()
    (tmp_path / "ledger.json").write_text("{")
    with pytest.raises(CorruptStore, match="does not read back"):
        ParquetStore(tmp_path, write=True).held()
