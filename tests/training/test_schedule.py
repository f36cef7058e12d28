"""When a site learns, how it says how far it is, and that it does so once at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace as changed
from tests.training.conftest import START, board_events

from palate.clock import FixedClock
from palate.errors import Conflict
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest
from palate.stores import Stores
from palate.training.lock import training_lock
from palate.training.progress import SHARES, Overall, ProgressFile, Timed, read_progress
from palate.training.report import Progress
from palate.training.schedule import SETTLED, Schedule

HOUR = 3_600.0


def looks(schedule: Schedule, times: int = SETTLED + 1) -> list[bool]:
    return [schedule.due() for _ in range(times)]


def release_at(site: Stores, created: float, position: int) -> None:
    releases = ReleaseDirectory(site.settings.path("releases"))
    manifest = Manifest(created=created, version="0", log_position=position)
    releases.publish(releases.begin(), manifest)


def test_the_first_training_begins_once_the_log_has_settled(site: Stores) -> None:
    schedule = Schedule(site.settings, site.log, FixedClock(START))
    assert looks(schedule) == [False, False, True]


def test_a_growing_log_is_waited_for(site: Stores) -> None:
    schedule = Schedule(site.settings, site.log, FixedClock(START))
    for event in board_events(users=4, each=2):
        assert not schedule.due()
        site.log.append([changed(event, event_id=f"more-{event.event_id}")], START)
    assert looks(schedule)[-1]


def test_too_small_a_log_is_left_alone(site: Stores) -> None:
    training = changed(site.settings.training, min_events=100_000)
    schedule = Schedule(changed(site.settings, training=training), site.log, FixedClock(START))
    assert not any(looks(schedule, 6))


def test_what_came_to_nothing_is_tried_again_only_with_more_events(site: Stores) -> None:
    schedule = Schedule(site.settings, site.log, FixedClock(START))
    assert looks(schedule)[-1]
    schedule.came_to_nothing()
    assert not any(looks(schedule, 6))
    more = [changed(e, event_id=f"more-{e.event_id}") for e in board_events()]
    site.log.append(more, START)
    assert looks(schedule)[-1]


def test_the_next_training_waits_for_its_hour_and_for_news(site: Stores) -> None:
    clock = FixedClock(START)
    schedule = Schedule(site.settings, site.log, clock)
    release_at(site, START, site.log.end())
    clock.time = START + 100 * HOUR
    assert not any(looks(schedule))
    site.log.append([changed(board_events()[0], event_id="news")], START)
    assert schedule.due()
    clock.time = START + 23 * HOUR
    assert not schedule.due()


def test_a_failure_with_a_release_is_tried_again_after_the_same_pause(site: Stores) -> None:
    clock = FixedClock(START + 30 * HOUR)
    schedule = Schedule(site.settings, site.log, clock)
    release_at(site, START, 1)
    assert schedule.due()
    schedule.came_to_nothing()
    assert not schedule.due()
    clock.time += 25 * HOUR
    assert schedule.due()


def test_a_broken_manifest_does_not_stop_the_schedule(site: Stores) -> None:
    release_at(site, START, 1)
    folder = site.settings.path("releases")
    (folder / "99999999-broken").mkdir()
    schedule = Schedule(site.settings, site.log, FixedClock(START + 30 * HOUR))
    assert schedule.due()


def test_the_whole_run_is_one_fraction_that_never_goes_back() -> None:
    told: list[Progress] = []
    overall = Overall(FixedClock(5.0), told.append)
    for phase in SHARES:
        for fraction in (0.0, 0.5, 0.2, 1.0):
            overall(phase, fraction, "at work")
    overall("done", 1.0, "done")
    fractions = [each.fraction for each in told]
    assert fractions == sorted(fractions)
    assert fractions[-2:] == [pytest.approx(1.0), 1.0]
    assert {each.started for each in told} == {5.0}


def test_a_failure_keeps_the_fraction_where_it_was() -> None:
    told: list[Progress] = []
    overall = Overall(FixedClock(), told.append)
    overall("tower", 0.5, "at work")
    overall("failed", 0.0, "it failed")
    assert told[-1].phase == "failed"
    assert told[-1].fraction == told[0].fraction


def test_the_progress_file_reads_back_and_leaves_no_draft(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    said = Progress("tower", 0.25, "epoch 1", 5.0)
    ProgressFile(tmp_path)(said)
    assert read_progress(tmp_path) == said
    assert [p.name for p in tmp_path.iterdir()] == ["training.json"]
    (tmp_path / "training.json").write_text("{")
    assert read_progress(tmp_path) is None


def test_seconds_are_told_by_phase() -> None:
    heard: list[str] = []
    timed = Timed(lambda phase, *_: heard.append(phase))
    for phase in ("read", "tower", "tower", "rows"):
        timed(phase, 0.0, "…")
    assert heard == ["read", "tower", "tower", "rows"]
    assert list(timed.seconds()) == ["read", "tower", "rows"]


def test_the_lock_is_between_processes_and_ends_with_them(tmp_path: Path) -> None:
    hold = (
        "import sys, pathlib\n"
        "from palate.training.lock import training_lock\n"
        "with training_lock(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match="another training"), training_lock(tmp_path):
            pass
        other.kill()
    with training_lock(tmp_path):
        pass
