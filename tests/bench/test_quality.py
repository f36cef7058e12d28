"""The pages of the documentation are made of the committed results, and of nothing else."""

from pathlib import Path

import pytest
import quality


def test_results_of_ones_own_stay_out_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(quality, "write", lambda page, *_: written.append(page))
    monkeypatch.setattr(quality, "PICTURE", tmp_path / "quality.svg")
    quality.main(["--write", "--results", str(tmp_path / "own.jsonl")])
    assert written == []
    quality.main(["--write"])
    assert written == [quality.PAGE]
