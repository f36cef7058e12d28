"""Surfaces of a site's own: a file below its folder, ``surfaces/late_night.py``.

It has a function of its own name that builds a `Funnel` on any set of stores, as the files of this
package do; where it bears the name of one of these, it stands in its place.
"""

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb

from palate.errors import BadInput, Problem
from palate.funnel.engine import Funnel
from palate.settings import FILE
from palate.stores import Stores

FOLDER = "surfaces"
WRONG = (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, LookupError)
"""What a file with a mistake in it raises."""


def files(home: Path) -> dict[str, Path]:
    """The site's own surfaces by name; none where the folder is no site."""
    if not (home / FILE).is_file():
        return {}
    found = sorted((home / FOLDER).glob("*.py"))
    return {file.stem: file for file in found if not file.stem.startswith("_")}


def built(file: Path, stores: Stores) -> Funnel:
    """The surface of a file. Raises BadInput that names the file and what is wrong with it."""
    maker = _maker(file)
    try:
        made = maker(stores)
    except WRONG as error:
        raise _wrong(file, _told(file, error)) from error
    if not isinstance(made, Funnel):
        raise _wrong(file, f"{file.stem}() gave a {type(made).__name__}, not a Funnel")
    return made


def _maker(file: Path) -> Callable[[Stores], Funnel]:
    name = f"palate_surface_{file.stem}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _wrong(file, "it cannot be read as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except WRONG as error:
        raise _wrong(file, _told(file, error)) from error
    maker: Callable[[Stores], Funnel] | None = getattr(module, file.stem, None)
    if not callable(maker):
        raise _wrong(file, f"it has no function {file.stem}(stores) that gives a Funnel")
    return maker


def _told(file: Path, error: Exception) -> str:
    """What is wrong, and in which line of the file."""
    lines = [at.lineno for at in extract_tb(error.__traceback__) if at.filename == str(file)]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f"{type(error).__name__}{f' in line {line}' if line else ''}: {error}"


def _wrong(file: Path, problem: str) -> BadInput:
    return BadInput(f"{file}: {problem}", [Problem(f"/surfaces/{file.stem}", problem)])
