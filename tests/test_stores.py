"""Opening a site: fresh, half-made, or with a URL that names nothing."""

from pathlib import Path

import msgspec
import pytest

from palate.errors import BadInput, Conflict, MissingExtra
from palate.features.record import UserState
from palate.funnel.types import Query
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest
from palate.settings import Settings, StoreSettings
from palate.stores import close, current_release, open_stores, refresh
from palate.surfaces import funnels
from palate.testing.tiny import NOW, tiny_items, waited


def fresh(home: Path, **urls: str) -> Settings:
    return Settings(home=home / "site", stores=StoreSettings(**urls))


def test_a_fresh_site_answers_every_surface_with_an_empty_page(tmp_path: Path) -> None:
    stores = open_stores(fresh(tmp_path))
    refresh(stores)
    for name, built in funnels(stores).items():
        answer = waited(built.answer(Query(name, UserState.nobody(), 10, NOW)))
        assert (answer.step, len(answer.slate)) == ("full", 0)
    close(stores)


def test_a_reader_that_came_first_sees_what_the_writer_makes(tmp_path: Path) -> None:
    settings = fresh(tmp_path)
    reader = open_stores(settings)
    writer = open_stores(settings, writer=True)
    reader.items.put(tiny_items())
    writer.columns.write(writer.items.changes(0, 100))
    refresh(reader)
    assert reader.columns.size == len(tiny_items())
    answer = waited(funnels(reader)["home"].answer(Query("home", UserState.nobody(), 10, NOW)))
    assert len(answer.slate) == 10
    close(reader)
    close(writer)


def test_only_one_process_may_write(tmp_path: Path) -> None:
    settings = fresh(tmp_path)
    writer = open_stores(settings, writer=True)
    with pytest.raises(Conflict):
        open_stores(settings, writer=True)
    close(writer)


@pytest.mark.parametrize("field", ["catalog", "events", "online", "offline", "index"])
def test_an_unknown_scheme_is_refused_with_those_that_are_known(field: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"\[stores\] {field}: unknown scheme in 'mongo:x'; known"):
        open_stores(fresh(tmp_path, **{field: "mongo:x"}))


@pytest.mark.parametrize(
    ("field", "url"), [("events", "kafka://b:9092"), ("online", "redis://r"), ("index", "milvus:m")]
)
def test_a_planned_scheme_says_what_to_use_meanwhile(field: str, url: str, tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="this version has no"):
        open_stores(fresh(tmp_path, **{field: url}))


def test_a_release_that_cannot_be_trusted_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = fresh(tmp_path)
    folder = settings.path(settings.stores.releases)
    (folder / "20260101-000000").mkdir(parents=True)
    (folder / "current").write_bytes(msgspec.json.encode({"name": "20260101-000000"}))
    assert ReleaseDirectory(folder).current() == "20260101-000000"
    assert current_release(settings) is None
    assert "serving without a release" in caplog.text


def test_a_damaged_live_release_gives_way_to_the_one_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = fresh(tmp_path)
    releases = ReleaseDirectory(settings.path(settings.stores.releases))
    names = []
    for created in (1e6, 2e6):
        staging = releases.begin()
        (staging / "part").write_bytes(b"whole")
        names.append(releases.publish(staging, Manifest(created=created, version="0.1.0")))
        releases.promote(names[-1])
    (releases.folder(names[1]) / "part").write_bytes(b"other")
    found = current_release(settings)
    assert found is not None
    assert found.name == names[0]
    assert f"release {names[1]} is passed over" in caplog.text
    assert releases.current() == names[1]
