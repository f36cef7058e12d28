"""Release swaps: a pointer is followed, a broken release refused, and the old one serves on."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from tests.serving.conftest import SmallSite

from palate.funnel.engine import Funnel
from palate.releases.directory import CURRENT, ReleaseDirectory
from palate.releases.manifest import FILE, Manifest
from palate.serving.live import RETRY


@pytest.fixture
def releases(site: SmallSite) -> ReleaseDirectory:
    return ReleaseDirectory(site.settings.path(site.settings.stores.releases))


def published(releases: ReleaseDirectory, created: float) -> str:
    staging = releases.begin()
    (staging / "notes.txt").write_text("nothing learnt")
    return releases.publish(staging, Manifest(created=created, version="test"))


def look(site: SmallSite) -> bool:
    with site.client.portal() as portal:
        return portal.call(site.app.state["runtime"].watch.look)


def refused(site: SmallSite, releases: ReleaseDirectory) -> tuple[str, Path, bytes]:
    """A promoted release that lacks its manifest: its name, the file, and what was in it."""
    name = published(releases, 1.0)
    releases.promote(name)
    file = releases.folder(name) / FILE
    whole = file.read_bytes()
    file.unlink()
    assert look(site) is False
    return name, file, whole


def test_a_promoted_release_is_live_and_named_in_the_answers(
    site: SmallSite, releases: ReleaseDirectory
) -> None:
    name = published(releases, 1.0)
    assert look(site) is False
    releases.promote(name)
    assert look(site) is True
    assert site.slate(user_id="u1")["release"] == name
    assert site.client.get("/readyz").json()["release"] == name
    assert look(site) is False


def test_a_rollback_is_followed(site: SmallSite, releases: ReleaseDirectory) -> None:
    first, second = published(releases, 1.0), published(releases, 2.0)
    for name in (first, second):
        releases.promote(name)
        look(site)
    assert site.slate(user_id="u1")["release"] == second
    releases.rollback()
    look(site)
    assert site.slate(user_id="u1")["release"] == first


def test_an_altered_release_is_refused_once_and_the_old_one_serves(
    site: SmallSite, releases: ReleaseDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = published(releases, 1.0), published(releases, 2.0)
    releases.promote(first)
    look(site)
    releases.promote(second)
    (releases.folder(second) / "notes.txt").write_text("altered")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert look(site) is False
    assert site.slate(user_id="u1")["release"] == first
    refused = [r.message for r in caplog.records if "refused" in r.message]
    assert len(refused) == 1
    assert "notes.txt" in refused[0]


def test_a_pointer_that_does_not_read_is_told_once_and_again_after_it_was_mended(
    site: SmallSite, releases: ReleaseDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    name = published(releases, 1.0)
    releases.promote(name)
    look(site)
    pointer = site.settings.path(site.settings.stores.releases) / CURRENT
    whole = pointer.read_bytes()
    with caplog.at_level(logging.ERROR):
        for raw in (b"{", whole, b"{"):
            pointer.write_bytes(raw)
            for _ in range(3):
                assert look(site) is False
    told = [r.message for r in caplog.records if "pointer does not read" in r.message]
    assert len(told) == 2
    assert site.slate(user_id="u1")["release"] == name


def test_a_half_written_release_is_refused(site: SmallSite, releases: ReleaseDirectory) -> None:
    name = published(releases, 1.0)
    releases.promote(name)
    (releases.folder(name) / FILE).unlink()
    assert look(site) is False
    assert site.slate(user_id="u1")["release"] == "none"


def test_a_mended_release_is_tried_again_once_it_is_promoted_again(
    site: SmallSite, releases: ReleaseDirectory
) -> None:
    name, file, whole = refused(site, releases)
    told = site.client.get("/readyz").json()
    assert told["ready"] is True
    assert any(f"release {name} refused" in remark for remark in told["remarks"])
    file.write_bytes(whole)
    assert look(site) is False
    releases.promote(name)
    assert look(site) is True
    assert site.client.get("/readyz").json()["remarks"] == []


def test_a_refused_release_is_tried_again_after_a_while(
    site: SmallSite, releases: ReleaseDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file, whole = refused(site, releases)
    file.write_bytes(whole)
    site.clock.time += RETRY + 1.0  # the wall clock may go as it likes
    assert look(site) is False
    later = monotonic() + RETRY + 1.0
    monkeypatch.setattr(site.app.state["runtime"].watch, "_timer", lambda: later)
    assert look(site) is True


def test_a_release_that_loads_but_does_not_run_is_refused(
    site: SmallSite, releases: ReleaseDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("shapes do not fit")

    name = published(releases, 1.0)
    releases.promote(name)
    with monkeypatch.context() as patch:
        patch.setattr(Funnel, "answer", broken)
        assert look(site) is False
    assert look(site) is False
    assert site.slate(user_id="u1")["release"] == "none"


def test_the_application_follows_the_pointer_by_itself(
    site_of: Callable[..., SmallSite],
) -> None:
    site = site_of(release_poll_seconds=0.01)
    releases = ReleaseDirectory(site.settings.path(site.settings.stores.releases))
    name = published(releases, 1.0)
    releases.promote(name)

    async def followed() -> None:
        while site.app.state["runtime"].live.name != name:  # noqa: ASYNC110  the poll is ours
            await asyncio.sleep(0.005)

    with site.client.portal() as portal:
        portal.call(asyncio.wait_for, followed(), 10)


def test_requests_that_run_during_a_swap_are_all_answered(
    site_of: Callable[..., SmallSite],
) -> None:
    site = site_of(release_poll_seconds=0.01)
    releases = ReleaseDirectory(site.settings.path(site.settings.stores.releases))
    names = [published(releases, float(n)) for n in range(1, 4)]
    served = set()
    for name in names:
        releases.promote(name)
        for _ in range(200):
            served.add(body := site.slate(user_id="u1", limit=5)["release"])
            if body == name:
                break
    assert set(names) <= served
