"""What docs/capacity.md assumes of nodes, at a small size: columns alike, users answered alike."""

from pathlib import Path
from time import time

import pytest
import shards
from living.site import build

from palate.catalog.user import user_key


@pytest.fixture
def home(tmp_path: Path) -> Path:
    build(tmp_path / "one", 200, 1_000, time())
    return tmp_path / "one"


def test_a_second_node_has_all_that_is_replicated_byte_for_byte(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shards.replicated(home, tmp_path / "two", time()) == []
    monkeypatch.setattr(shards, "held", lambda stores: {"home": str(stores.settings.home)})
    assert shards.replicated(home, tmp_path / "three", time()) == ["home"]


def test_users_on_two_nodes_are_answered_as_on_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "ASKED", 30)
    assert shards.sharded(home, tmp_path, time()) == 0
    assert {shards.shard_of(f"u{n}") for n in range(50)} == {0, 1}
    assert shards.shard_of("u1") == user_key("u1") >> 63


def test_a_node_without_somebody_answers_them_otherwise(home: Path, tmp_path: Path) -> None:
    now, users = time(), [f"u{n}" for n in range(40)]
    other = [user for user in users if shards.shard_of(user) == 1]
    parts = tmp_path / "part"
    shards.shutil.copytree(home, parts)
    shards.let_go(parts, 0)
    assert shards.answers(home, other, now) != shards.answers(parts, other, now)
