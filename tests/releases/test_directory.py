"""Releases are immutable, verified, promoted and rolled back atomically."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palate.errors import CorruptRelease, NotFound
from palate.features import vector
from palate.features.vector import BY_NAME, DECLARED, layout_hash, meanings, offered
from palate.releases.directory import CURRENT, ReleaseDirectory
from palate.releases.manifest import FILE, SEAL, Manifest


def manifest(created: float = 1_000_000.0, **changes: Any) -> Manifest:
    return Manifest(created=created, version="0.1.0", **changes)


def publish(releases: ReleaseDirectory, created: float = 1_000_000.0, **changes: Any) -> str:
    staging = releases.begin()
    (staging / "part").mkdir()
    (staging / "part" / "numbers").write_bytes(b"1 2 3")
    return releases.publish(staging, manifest(created, **changes))


@pytest.fixture
def releases(tmp_path: Path) -> ReleaseDirectory:
    return ReleaseDirectory(tmp_path / "releases", keep=3)


def test_there_is_nothing_before_the_first_release(releases: ReleaseDirectory) -> None:
    assert releases.names() == []
    assert releases.current() is None
    assert releases.prune() == []


def test_a_published_release_is_whole_but_not_live_until_promoted(
    releases: ReleaseDirectory,
) -> None:
    name = publish(releases, fusion={"covisit": 2.0})
    assert releases.names() == [name]
    assert releases.current() is None
    releases.promote(name)
    assert releases.current() == name
    loaded = releases.load(name)
    assert (loaded.name, loaded.two_tower, loaded.ranker) == (name, None, None)
    assert loaded.fusion == {"covisit": 2.0}


def test_other_processes_see_a_promotion(releases: ReleaseDirectory, tmp_path: Path) -> None:
    reader = ReleaseDirectory(tmp_path / "releases")
    first, second = publish(releases, 1.0), publish(releases, 2.0)
    for name in (first, second, first):
        releases.promote(name)
        assert reader.current() == name


def test_history_names_what_was_live_newest_first_and_still_held(
    releases: ReleaseDirectory,
) -> None:
    assert releases.history() == ()
    first, second = publish(releases, 1.0), publish(releases, 2.0)
    for name in (first, second, first):
        releases.promote(name)
    assert releases.history() == (first, second)


def test_looking_at_the_current_release_reads_nothing_while_nothing_changed(
    releases: ReleaseDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(releases)
    releases.promote(name)
    releases.current()
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: pytest.fail("read again"))
    assert releases.current() == name


def test_rollback_goes_back_step_by_step_and_ends_with_a_sentence(
    releases: ReleaseDirectory,
) -> None:
    names = [publish(releases, float(day)) for day in range(3)]
    for name in names:
        releases.promote(name)
    assert [releases.rollback(), releases.rollback()] == [names[1], names[0]]
    assert releases.current() == names[0]
    with pytest.raises(NotFound, match="nothing to go back to"):
        releases.rollback()


def test_an_altered_manifest_is_refused_and_one_of_an_early_build_still_loads(
    releases: ReleaseDirectory,
) -> None:
    name = publish(releases, fusion={"covisit": 2.0})
    folder = releases.folder(name)
    told = (folder / FILE).read_text()
    (folder / FILE).write_text(told.replace("2.0", "3.0"))
    with pytest.raises(CorruptRelease, match=r"manifest\.json was altered .*manifest\.sha256"):
        releases.load(name)
    (folder / SEAL).unlink()
    assert releases.load(name).fusion == {"covisit": 3.0}


def test_the_seal_is_what_sha256sum_checks(releases: ReleaseDirectory) -> None:
    folder = releases.folder(publish(releases))
    done = subprocess.run(["sha256sum", "-c", SEAL], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0


def test_rollback_before_the_first_promotion_says_what_to_do(releases: ReleaseDirectory) -> None:
    publish(releases, 0.0)
    with pytest.raises(NotFound, match="no release is live yet: `palate train` makes one"):
        releases.rollback()


def test_promoting_the_live_release_again_changes_no_history(releases: ReleaseDirectory) -> None:
    first, second = publish(releases, 1.0), publish(releases, 2.0)
    for name in (first, second, second):
        releases.promote(name)
    assert releases.rollback() == first


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: (f / "part" / "numbers").write_bytes(b"1 2 4"), r"part/numbers was altered"),
        (lambda f: (f / "part" / "numbers").unlink(), r"part/numbers is missing"),
        (lambda f: (f / "manifest.json").unlink(), r"manifest\.json is missing"),
        (lambda f: (f / "manifest.json").write_text("{"), r"manifest\.json cannot be read"),
        (
            lambda f: (f / "manifest.json").write_bytes(b'{"version": "\xff"}'),
            r"manifest\.json cannot be read",
        ),
    ],
)
def test_a_damaged_release_is_refused_and_the_old_one_stays(
    releases: ReleaseDirectory, tmp_path: Path, harm: Callable[[Path], object], says: str
) -> None:
    good, bad = publish(releases, 1.0), publish(releases, 2.0)
    releases.promote(good)
    harm(tmp_path / "releases" / bad)
    with pytest.raises(CorruptRelease, match=says):
        releases.promote(bad)
    assert releases.current() == good


def test_features_that_this_build_does_not_know_are_refused(releases: ReleaseDirectory) -> None:
    name = publish(releases, features=("phase_of_the_moon",), layout="x")
    with pytest.raises(CorruptRelease, match="phase_of_the_moon"):
        releases.load(name)


def test_features_of_another_meaning_are_refused(releases: ReleaseDirectory) -> None:
    known = tuple(feature.name for feature in DECLARED[:4])
    assert releases.load(publish(releases, features=known, layout=layout_hash(known)))
    other = publish(releases, 2_000_000.0, features=known, layout="0123")
    with pytest.raises(CorruptRelease, match="another meaning"):
        releases.load(other)


def test_a_release_is_held_to_the_definitions_it_learnt_by(releases: ReleaseDirectory) -> None:
    names = ("item_rating", "covisit_score", "found_by")
    layout, meant = layout_hash(names), meanings(names)
    same = publish(releases, features=names, layout=layout, definitions=meant)
    assert releases.load(same).manifest.definitions == meant
    changed = publish(
        releases, 2.0, features=names, layout=layout, definitions={**meant, "found_by": "00000000"}
    )
    with pytest.raises(CorruptRelease, match="'found_by' when it meant something else") as refused:
        releases.load(changed)
    assert "leaves the old line, retired" in str(refused.value)
    assert releases.load(changed, ranked=False).ranker is None


def test_a_generator_that_came_or_went_changes_nothing_for_a_release(
    releases: ReleaseDirectory,
) -> None:
    names = ("long_gone_score", "long_gone_rank", "user_acts")
    meant = meanings(names)
    assert releases.load(
        publish(releases, features=names, layout=layout_hash(names), definitions=meant)
    )


def test_a_feature_that_was_changed_under_a_new_name_breaks_no_older_release(
    releases: ReleaseDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("item_rating", "found_by")
    layout, meant = layout_hash(names), meanings(names)
    older = publish(releases, features=names, layout=layout, definitions=meant)
    old, new = (
        BY_NAME["item_rating"],
        replace(BY_NAME["item_rating"], name="item_rating_2", log=True),
    )
    declared = (*(f for f in DECLARED if f is not old), replace(old, retired=True), new)
    monkeypatch.setattr(vector, "DECLARED", declared)
    monkeypatch.setattr(vector, "BY_NAME", {feature.name: feature for feature in declared})
    vector.chosen.cache_clear()
    assert {"item_rating", "item_rating_2"} & set(offered(())) == {"item_rating_2"}
    assert releases.load(older).manifest.definitions == meant
    vector.chosen.cache_clear()


def test_a_retired_feature_is_still_there_for_who_learnt_it(releases: ReleaseDirectory) -> None:
    retired = tuple(feature.name for feature in DECLARED if feature.retired)
    assert retired
    assert not set(retired) & set(offered(("covisit",)))
    assert releases.load(publish(releases, features=retired, layout=layout_hash(retired)))


def test_another_format_is_refused(releases: ReleaseDirectory, tmp_path: Path) -> None:
    name = publish(releases)
    file = tmp_path / "releases" / name / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99}))
    with pytest.raises(CorruptRelease, match="format 99"):
        releases.load(name)


def test_a_part_that_does_not_load_is_refused_by_name(releases: ReleaseDirectory) -> None:
    staging = releases.begin()
    (staging / "ranker").mkdir()
    (staging / "ranker" / "ranker.json").write_text('{"features":[],"means":[],"knots":{}}')
    (staging / "ranker" / "ranker.onnx").write_bytes(b"not a network")
    name = releases.publish(staging, manifest())
    with pytest.raises(CorruptRelease, match=r"ranker\.onnx"):
        releases.load(name)


def test_what_a_killed_run_left_is_no_release_and_is_cleared_away(
    releases: ReleaseDirectory, tmp_path: Path
) -> None:
    left = releases.begin()
    (left / "half").write_text("…")
    assert releases.names() == []
    again = releases.begin()
    assert not left.exists()
    releases.discard(again)
    assert list((tmp_path / "releases").iterdir()) == []


def test_an_unknown_name_is_answered_with_where_to_look(releases: ReleaseDirectory) -> None:
    with pytest.raises(NotFound, match="palate releases list"):
        releases.promote("nonsense")


def test_a_broken_pointer_is_named(releases: ReleaseDirectory, tmp_path: Path) -> None:
    releases.promote(publish(releases))
    (tmp_path / "releases" / CURRENT).write_text("garbage")
    with pytest.raises(CorruptRelease, match="current"):
        ReleaseDirectory(tmp_path / "releases").current()


def test_old_releases_go_but_never_the_live_one_or_the_one_before(
    releases: ReleaseDirectory,
) -> None:
    names = [publish(releases, day * 86_400.0) for day in range(7)]
    releases.promote(names[0])
    releases.promote(names[1])
    assert releases.prune() == names[2:4]
    assert releases.names() == [*names[:2], *names[4:]]


def test_every_file_is_under_the_checksum(releases: ReleaseDirectory, tmp_path: Path) -> None:
    name = publish(releases)
    folder = tmp_path / "releases" / name
    held = msgspec.json.decode((folder / "manifest.json").read_bytes())["files"]
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(held) == there - {FILE, SEAL}
