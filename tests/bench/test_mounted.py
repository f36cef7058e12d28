"""Only a small file system of a bench's own is ever filled."""

from pathlib import Path
from typing import NamedTuple

import pytest
from load import mounted as module
from load.mounted import LARGEST, fill, mounted


class Usage(NamedTuple):
    total: int
    used: int = 0
    free: int = 0


def test_of_no_size_nothing_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.subprocess, "run", None)  # whoever calls it fails
    with mounted(tmp_path, 0) as own:
        assert not own
    assert not tmp_path.is_mount()


@pytest.mark.parametrize("total", [0, LARGEST + 1, LARGEST])
def test_what_is_not_its_own_or_is_large_is_not_filled(
    tmp_path: Path, total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage(total))
    monkeypatch.setattr(Path, "is_mount", lambda _: total != LARGEST)
    with pytest.raises(RuntimeError, match="not filled"):
        fill(tmp_path)
    assert not list(tmp_path.iterdir())
