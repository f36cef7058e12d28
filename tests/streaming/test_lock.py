from pathlib import Path

import pytest

from palate.errors import Conflict
from palate.settings import Settings
from palate.streaming.lock import check_alone, only_worker


def test_a_second_worker_is_refused_in_words_until_the_first_has_gone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with (
        only_worker(settings),
        pytest.raises(Conflict, match="another process is writing"),
        only_worker(settings),
    ):
        pass
    with only_worker(settings):
        pass


def test_sites_do_not_lock_each_other(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with only_worker(Settings(home=tmp_path / "a")), only_worker(Settings(home=tmp_path / "b")):
        pass


def test_who_only_asks_holds_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    check_alone(settings)
    with only_worker(settings), pytest.raises(Conflict, match="stop its `palate up`"):
        check_alone(settings)
