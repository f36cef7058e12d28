import pytest

from palate.cli.output import Lines, facts, table_of


@pytest.mark.parametrize(
    "shown", ["see [training] of palate.toml", table_of("", ("t",), [("[REC]",)])]
)
def test_brackets_are_printed_not_taken_for_markup(
    shown: object, capsys: pytest.CaptureFixture[str]
) -> None:
    facts({}, as_json=False, table=shown)
    out = capsys.readouterr().out
    assert "[training]" in out or "[REC]" in out


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = iter([0.0, 1.0, 11.0, 11.0, 12.0])
    lines = Lines(lambda: next(now))
    for done in (1_000, 2_000, 3_000):
        lines("reading", done, 9_000)
    assert capsys.readouterr().err == "reading: 2,000 of 9,000\n"
