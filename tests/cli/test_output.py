import pytest

from palate.cli.output import facts, table_of


@pytest.mark.parametrize(
    "shown", ["see [training] of palate.toml", table_of("", ("t",), [("[REC]",)])]
)
def test_brackets_are_printed_not_taken_for_markup(
    shown: object, capsys: pytest.CaptureFixture[str]
) -> None:
    facts({}, as_json=False, table=shown)
    out = capsys.readouterr().out
    assert "[training]" in out or "[REC]" in out
