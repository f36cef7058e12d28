from pathlib import Path

from tests.cli.running import palate

from palate.settings_files import load
from palate.template import template


def test_a_new_site_is_a_folder_with_a_commented_file(tmp_path: Path) -> None:
    done = palate("init", str(tmp_path / "a" / "b"))
    assert done.returncode == 0
    assert (tmp_path / "a" / "b" / "palate.toml").read_text("utf-8") == template()
    assert load(tmp_path / "a" / "b", {}).serving.port == 8700


def test_a_file_that_was_changed_is_never_overwritten(tmp_path: Path) -> None:
    assert palate("init", str(tmp_path)).returncode == 0
    assert palate("init", str(tmp_path)).returncode == 0
    (tmp_path / "palate.toml").write_text("# mine\n")
    refused = palate("init", str(tmp_path))
    assert refused.returncode == 2
    assert "exists and was changed" in refused.stderr
    assert (tmp_path / "palate.toml").read_text() == "# mine\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = palate("init", str(tmp_path / "file" / "site"))
    assert refused.returncode == 2
    assert "cannot make" in refused.stderr
    assert "Traceback" not in refused.stderr
