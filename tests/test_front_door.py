"""``import palate``: few names, all there, typed, and free of charge until they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import palate

STUB = Path(palate.__file__).with_suffix(".pyi")


@pytest.mark.parametrize("name", palate.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(palate, name)
    assert name in dir(palate)


def test_the_types_are_those_of_the_names_and_they_are_few() -> None:
    named = {
        alias.asname: node.module
        for node in ast.parse(STUB.read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert named == palate._HOMES
    assert len(palate.__all__) <= 25


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        palate.Nothing  # noqa: B018


def test_importing_it_loads_nothing_of_ours_or_others() -> None:
    told = "import sys; old = set(sys.modules); import palate; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - sys.stdlib_module_names == {"palate"}
    assert "palate.site" not in done.stdout
