"""A user's way out of the log, whatever they did, is not everybody else's."""

from pathlib import Path

from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog

SESSIONS, EACH = 300, 4


def lived(log: SqliteLog) -> None:
    """Somebody with many sessions, each begun before anybody knew whose it was."""
    log.append(
        [
            Event(
                event_id=f"e{n}-{k}",
                kind=Kind.VIEW,
                time=float(n),
                user_id="busy" if k else "",
                session_id=f"s{n}",
                item_id="i",
                context={"device": "tv"},
            )
            for n in range(SESSIONS)
            for k in range(EACH)
        ],
        1.0,
    )


def forgotten(log: SqliteLog) -> int:
    """They are to be forgotten; the position of the last that says so."""
    forget = Event(event_id="f", kind=Kind.FORGET, time=1e6, user_id="busy")
    log.announce("busy", lambda _: [forget])
    return log.end()


def test_every_session_is_renamed_and_what_came_before_it_was_claimed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "e.db")
    lived(log)
    renamed = log.pseudonymise("busy", "nobody", forgotten(log))
    assert renamed.events == SESSIONS * (EACH - 1) + 1
    assert renamed.sessions == {f"s{n}": f"nobody/{n}" for n in range(SESSIONS)}
    for logged in log.read(0, SESSIONS * EACH):
        event, session = logged.event, int(logged.event.event_id[1:].partition("-")[0])
        assert event.session_id == f"nobody/{session}"
        assert event.user_id in {"", "nobody"}
        assert event.context == ({} if event.user_id else {"device": "tv"})


def test_the_log_is_read_as_often_for_many_sessions_as_for_one(tmp_path: Path) -> None:
    log, told = SqliteLog(tmp_path / "e.db"), list[str]()
    lived(log)
    end = forgotten(log)
    with log._database.reading() as db:
        db.set_trace_callback(told.append)
    log.pseudonymise("busy", "nobody", end)
    begun = next(n for n, each in enumerate(told) if each.startswith("begin immediate"))
    locked = [each for each in told[begun:] if "temp.claimed values" not in each]
    assert len(locked) < 30, "behind the lock"
    assert len([each for each in told[:begun] if "from event" in each]) < 6, "before it"


def test_what_comes_while_the_log_is_looked_through_is_found_too(tmp_path: Path) -> None:
    log, other = SqliteLog(tmp_path / "e.db"), SqliteLog(tmp_path / "e.db")
    lived(log)
    late = Event(
        event_id="late", kind=Kind.VIEW, time=9.0, user_id="busy", session_id="s", item_id="i"
    )

    def comes(statement: str) -> None:
        if statement.startswith("begin immediate"):
            with log._database.reading() as db:
                db.set_trace_callback(None)
            other.append([late], 2.0)

    with log._database.reading() as db:
        db.set_trace_callback(comes)
    found = log.announce("busy", lambda _: [])
    assert found.events == SESSIONS * (EACH - 1) + 1
    assert found.sessions == (*(f"s{n}" for n in range(SESSIONS)), "s")


def test_who_is_forgotten_twice_at_once_is_told_the_second_time_of_what_came_since(
    tmp_path: Path,
) -> None:
    log, other = SqliteLog(tmp_path / "e.db"), SqliteLog(tmp_path / "e.db")
    lived(log)

    def comes(statement: str) -> None:
        if statement.startswith("begin immediate"):
            with log._database.reading() as db:
                db.set_trace_callback(None)
            forgotten(other)

    with log._database.reading() as db:
        db.set_trace_callback(comes)
    assert log.announce("busy", lambda _: []) == (0, ())
