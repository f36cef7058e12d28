from itertools import count
from pathlib import Path

import pytest

from palate.errors import Conflict, CorruptStore, Unavailable
from palate.features.online.lmdb import LmdbStore
from palate.features.online.protocol import StateChange
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
    with pytest.raises(CorruptStore, match="palate rebuild"):
        LmdbStore(tmp_path, write=True, gigabytes=SMALL)


def test_every_reading_says_what_to_do_with_a_broken_store(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, write=True, gigabytes=SMALL)
    store._shared.env.close()  # as good as broken: the library refuses whatever is asked
    for read in (lambda: store.user(1), store.position, lambda: list(store.scan("users"))):
        with pytest.raises(CorruptStore, match="palate rebuild"):
            read()
