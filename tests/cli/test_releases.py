"""`palate releases`, as a person would call it."""

from pathlib import Path

from typer.testing import CliRunner

from palate.cli import releases
from palate.errors import BadInput
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest

DECILES = {f"ranker/click/decile_{n}": 1.0 + n / 100 for n in range(1, 11)}


def shown(site: Path, **metrics: float) -> str:
    (site / "palate.toml").touch()
    directory = ReleaseDirectory(site / "releases")
    staging = directory.begin()
    name = directory.publish(staging, Manifest(created=1.0, version="0", metrics=metrics))
    told = CliRunner().invoke(releases.app, ["show", name, "--site", str(site)])
    assert told.exit_code == 0
    return told.output


def test_show_lays_a_head_s_calibration_in_a_line(tmp_path: Path) -> None:
    told = shown(tmp_path, **DECILES, **{"ranker/click/ece": 0.0042, "covisit/recall": 0.3})
    line = next(line for line in told.splitlines() if line.lstrip().startswith("click  "))
    assert line.split()[1:] == ["0.0042", *(f"{1 + n / 100:.2f}" for n in range(1, 11))]
    assert "decile_" not in told
    assert "covisit/recall = 0.3" in told


def test_a_release_without_a_ranker_has_no_calibration_to_show(tmp_path: Path) -> None:
    assert "calibration" not in shown(tmp_path, **{"covisit/recall": 0.3})


def test_without_a_command_they_are_listed(tmp_path: Path) -> None:
    shown(tmp_path)
    site, run = ["--site", str(tmp_path)], CliRunner().invoke
    listed = run(releases.app, ["list", *site]).output
    assert "19700101-000001" in listed
    assert run(releases.app, site).output == listed
    astray = run(releases.app, [*site, "rollback"])
    assert isinstance(astray.exception, BadInput)
    assert f"palate releases rollback --site {tmp_path}" in astray.exception.detail
