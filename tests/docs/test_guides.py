"""What the documentation says is true: its programs run, its links lead somewhere."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import msgspec
import pytest

from palate.settings import Settings
from palate.surfaces.plugins import GENERATORS, RANKERS

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs/guide").glob("*.md"))
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TOML = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
PLAIN = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Plugins that happen to be installed take seconds to load, and no guide asks for one."""
FILES = {"palate.toml", "palate.schema"}
"""Names of the same look that are something else: a file, a key of a Parquet file."""
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def program(page: Path) -> str:
    """All the page's blocks as one module, each at the line where it stands in the page."""
    text = page.read_text("utf-8")
    lines: list[str] = []
    for block in BLOCK.finditer(text):
        begins = text.count("\n", 0, block.start(1))
        lines += [""] * (begins - len(lines)) + block.group(1).splitlines()
    return "\n".join(lines) + "\n"


def anchors(page: Path) -> set[str]:
    """The names under which headings can be linked, as GitHub makes them."""
    titles = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> Iterator[str]:
    """Links to files and headings of this repository."""
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if not re.match(r"[a-z]+:", link):
            yield link


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guides_code_runs_and_its_tests_pass(page: Path, tmp_path: Path) -> None:
    file = tmp_path / f"test_{page.stem.replace('-', '_')}.py"
    file.write_text(program(page), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", f"--rootdir={tmp_path}", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | PLAIN,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readmes_python_runs_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "readme.py"
    file.write_text(program(ROOT / "README.md"), "utf-8")
    command = [sys.executable, str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Because you liked Alien" in done.stdout or "item_id='arrival'" in done.stdout


def test_there_is_a_guide_for_everything_that_is_added_often() -> None:
    assert {"add-a-generator", "add-a-rule", "add-a-feature", "use-from-python"} <= {
        page.stem for page in GUIDES
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_something(page: Path) -> None:
    dead = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        known = target.exists() and (
            not anchor or target.suffix != ".md" or anchor in anchors(target)
        )
        if not known:
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_names_of_the_package_that_a_page_gives_are_there(page: Path) -> None:
    """Names in backquotes, with their dots."""
    named = set(re.findall(r"`(palate(?:\.\w+)+)`", page.read_text("utf-8"))) - FILES
    lost = []
    for name in named:
        try:
            resolve_name(name)
        except (ImportError, AttributeError):
            lost.append(name)
    assert not lost


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guides_settings_are_settings(page: Path) -> None:
    """Blocks of TOML are of a site's palate.toml, or of a package that brings something."""
    for block in TOML.findall(page.read_text("utf-8")):
        told = tomllib.loads(block)
        groups = told.pop("project", {}).get("entry-points", {})
        assert set(groups) <= {GENERATORS, RANKERS}
        msgspec.convert(told, Settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_source_files_that_a_page_names_exist(page: Path) -> None:
    """Names in backquotes that look like paths of the repository; guides also name the file one is
    about to write, as the first line of its block."""
    text = page.read_text("utf-8")
    to_write = set(re.findall(r"^# ((?:src|tests)/\S+\.py)$", text, re.MULTILINE))
    named = set(re.findall(r"`((?:src|tests|docs|bench|scripts)/[\w./-]+)`", text)) - to_write
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]
