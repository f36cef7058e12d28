import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from palate.errors import Conflict, CorruptState, CorruptStore, Unavailable
from palate.features.online import lmdb
from palate.features.online.lmdb import LmdbStore
from palate.features.online.protocol import StateChange
from palate.features.online.sound import is_sound
from palate.testing.online_store import Empty, OnlineStoreContract

SMALL = 0.01


class TestLmdbStore(OnlineStoreContract):
    @pytest.fixture
    def empty(self, tmp_path: Path) -> Empty:
        numbers = count()
        return lambda: LmdbStore(tmp_path / str(next(numbers)), write=True, gigabytes=SMALL)


def test_a_reader_sees_what_a_writer_commits_also_when_it_came_first(tmp_path: Path) -> None:
    reader = LmdbStore(tmp_path, write=False, gigabytes=SMALL)
    writer = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    writer.commit(StateChange(3, users={1: b"one"}))
    assert (reader.user(1), reader.position()) == (b"one", 3)


def test_a_reader_must_not_write(tmp_path: Path) -> None:
    reader = LmdbStore(tmp_path, write=False, gigabytes=SMALL)
    with pytest.raises(Conflict, match="only the stream worker"):
        reader.commit(StateChange(3))
    with pytest.raises(Conflict, match="only the stream worker"):
        reader.replace(StateChange(3))


def test_what_was_committed_is_there_after_closing(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    store.commit(StateChange(3, users={1: b"one"}))
    store.close()
    again = LmdbStore(tmp_path, write=False, gigabytes=SMALL)
    assert again.user(1) == b"one"
    with pytest.raises(Unavailable, match="closed"):
        store.user(1)


def test_a_full_map_is_refused_in_words_and_nothing_of_the_change_is_stored(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, write=True, gigabytes=0.001)
    big = dict.fromkeys(range(1000), b"x" * 4000)
    with pytest.raises(Unavailable, match="online_gigabytes"):
        store.commit(StateChange(3, users={1: b"one"}, items=big))
    assert (store.user(1), store.position()) == (None, 0)


def test_a_file_that_is_no_store_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"no" * 5_000)
    store = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    for _ in range(2):
        with pytest.raises(CorruptState, match="folds it anew from the log"):
            store.position()


def test_what_is_damaged_is_set_aside_where_all_of_it_is_given_anew(tmp_path: Path) -> None:
    folder = tmp_path / "online"
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"no" * 5_000)
    store = LmdbStore(folder, write=True, gigabytes=SMALL)
    store.replace(StateChange(3, users={1: b"one"}))
    assert (tmp_path / "online.damaged" / "data.mdb").read_bytes() == b"no" * 5_000
    assert LmdbStore(folder, write=False, gigabytes=SMALL).user(1) == b"one"


def test_a_damaged_page_is_named_and_begun_anew(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "a", write=True, gigabytes=SMALL)
    store.commit(StateChange(3, users=dict.fromkeys(range(200), b"x" * 500)))
    store.close()
    assert is_sound(tmp_path / "a", SMALL)
    spoil(tmp_path / "a" / "data.mdb")
    assert not is_sound(tmp_path / "a", SMALL)
    store = LmdbStore(tmp_path / "a", write=True, gigabytes=SMALL)
    with pytest.raises(CorruptState, match="is damaged"):
        store.user(7)
    store.set_aside()
    store.commit(StateChange(5, users={7: b"z"}))
    assert (store.user(7), store.position()) == (b"z", 5)
    assert is_sound(tmp_path / "a", SMALL)


def spoil(file: Path) -> None:
    """Noise behind the two first pages, which say where the rest is."""
    raw = file.read_bytes()
    file.write_bytes(raw[: 2 * 4096] + b"\xff" * len(raw[2 * 4096 :]))


def test_a_reader_follows_to_the_file_that_takes_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb, "LOOK", 0.0)
    elsewhere = (tmp_path / "b", tmp_path / "a")
    for folder, told in zip(elsewhere, (b"new", b"old"), strict=True):
        held = LmdbStore(folder, write=True, gigabytes=SMALL)
        held.commit(StateChange(3, users={1: told}))
        held.close()
    reader = LmdbStore(tmp_path / "a", write=False, gigabytes=SMALL)
    assert reader.user(1) == b"old"
    (tmp_path / "a").rename(tmp_path / "gone")
    (tmp_path / "b").rename(tmp_path / "a")
    assert reader.user(1) == b"new"


def test_nobody_looks_beyond_the_end_of_a_file_that_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb, "LOOK", 0.0)
    store = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    store.commit(StateChange(3, users=dict.fromkeys(range(1000), b"x" * 4000)))
    os.truncate(tmp_path / "data.mdb", 100_000)
    with pytest.raises(CorruptState, match="cut short"):
        store.user(1)
    store.close()
    with pytest.raises(CorruptState, match="cut short"):
        LmdbStore(tmp_path, write=False, gigabytes=SMALL).user(1)


FULL = """
import resource, signal, sys
from pathlib import Path
from palate.errors import Unavailable
from palate.features.online.lmdb import LmdbStore
from palate.features.online.protocol import StateChange
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = LmdbStore(Path(sys.argv[1]), write=True, gigabytes=0.1)
store.commit(StateChange(3, users={1: b"one"}))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    store.commit(StateChange(4, users={n: b"x" * 4_000 for n in range(1_000)}))
except Unavailable as error:
    print(error)
print(store.user(1), store.position())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.commit(StateChange(5, users={2: b"two"}))
print(store.users([1, 2]), store.position())
"""


def test_a_disk_that_takes_nothing_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    refused, kept, after = done.stdout.splitlines()
    assert "cannot be written" in refused or "is full" in refused
    assert kept == "b'one' 3"
    assert after == "[b'one', b'two'] 5"


def test_every_reading_says_what_to_do_with_a_broken_store(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    store._shared.env.close()  # as good as broken: the library refuses whatever is asked
    for read in (lambda: store.user(1), store.position, lambda: list(store.scan("users"))):
        with pytest.raises(CorruptStore, match="palate rebuild"):
            read()


def test_it_says_how_much_of_its_bound_is_taken_before_it_is_full(tmp_path: Path) -> None:
    writer = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    reader = LmdbStore(tmp_path, write=False, gigabytes=SMALL)
    seen = [reader.filled()]

    def fill() -> None:
        for n in range(100):
            writer.commit(StateChange(n, users={n: b"x" * 200_000}))
            seen.append(reader.filled())

    with pytest.raises(Unavailable, match="online_gigabytes"):
        fill()
    assert seen == sorted(seen)
    assert seen[0] < 0.02
    assert 0.9 < seen[-1] <= 1.0


def test_threads_read_on_while_the_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb, "LOOK", 0.0)
    place, keys = tmp_path / "online", list(range(500))
    writer = LmdbStore(place, write=True, gigabytes=SMALL)
    writer.commit(StateChange(3, users=dict.fromkeys(keys, b"x" * 3_000)))
    writer.close()
    reader = LmdbStore(place, write=False, gigabytes=SMALL)
    stop = threading.Event()

    def read() -> set[int]:
        seen: set[int] = set()
        while not stop.is_set():
            with suppress(Unavailable):  # for a moment there is none
                seen |= {len(found) for found in reader.users(keys) if found}
        return seen

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read) for _ in range(4)]
        for number in range(20):
            shutil.copytree(place, fresh := tmp_path / f"{number}.new")
            place.rename(tmp_path / f"{number}.old")
            shutil.rmtree(place, ignore_errors=True)  # a reader may have made it
            with suppress(OSError):
                fresh.rename(place)
        stop.set()
        assert [each.result() for each in reading] == [{3_000}] * 4
