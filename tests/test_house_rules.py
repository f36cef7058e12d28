"""The rules of the house (STYLE), checked, so that review can speak of design.

Raising a limit takes a line in one of the allow-lists below, with its reason.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TypeAlias

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "src" / "palate"
FILES = sorted(ROOT.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})

FILE_LINES, FUNCTION_LINES, ARGUMENTS = 400, 40, 6
FOLDER_FILES, PROTOCOL_METHODS, PUBLIC_NAMES, CORE_DEPENDENCIES = 20, 7, 25, 14
MEDIAN_FILE, MEDIAN_FUNCTION, LONG_FUNCTION = 100, 9, 30
SAYS_NOTHING = {
    *("manager", "handler", "helper", "helpers", "service", "base", "abstract", "impl"),
    *("util", "utils", "common", "core", "misc", "data", "info"),
}

MAY_BE_CALLED_SO = {
    "cli/data.py": "the command is `palate data`",
}
MAY_TAKE_MORE_ARGUMENTS: dict[str, str] = {}
MAY_HOLD_MORE_FILES = {
    "cli": "a command is a file, so that `palate serve` loads none of the others",
}
MAY_FORGIVE_ANYTHING = {
    "funnel/engine.py": "a part that fails must not take the page with it",
    "funnel/reasons.py": "part of the engine: a slate without a sentence is better than none",
    "surfaces/plugins.py": "another package's code must not take the site with it",
    "retrieval/brought.py": "nor what it learns, which is remembered: the log is not read again",
    "funnel/retrieve.py": "so for generators that training and tuning ask without the engine",
    "evaluation/asking.py": "and for those that an evaluation asks: the others have their rows",
    "serving/": "the edge turns whatever went wrong into an answer",
}
MAY_START_WITH_GET = {
    "get_next": "ONNX Runtime's reader of calibration rows asks for it",
    "get_command": "Click calls it so",
}
ONLY_IN = {
    "torch": "training/",
    "sklearn": "training/",
    "scipy": "training/",
    "onnx": "training/",
    "numba": "jit.py",
    "opentelemetry": "serving/observing/otel.py",
}
"""Clients of an extra are named after it (`online/redis.py`)."""
CLIENTS = ("redis", "confluent_kafka", "psycopg", "pymilvus", "pyspark")

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def every_file(check: Callable[[Path], None]) -> Callable[[], None]:
    """One test of all files, for a test of each costs more than what it looks at."""

    def wrong(path: Path) -> str:
        try:
            check(path)
        except AssertionError as error:
            return str(error)
        return ""

    def test() -> None:
        found = {where(path): said for path in FILES if (said := wrong(path))}
        assert not found, "\n".join(f"{file}: {said}" for file, said in found.items())

    return test


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in nodes(path) if isinstance(node, Function))


def classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in nodes(path) if isinstance(node, ast.ClassDef))


def length(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def arguments(function: Function) -> int:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in given)


def decorators(node: Function | ast.ClassDef) -> set[str]:
    return {ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list}


def words(name: str) -> set[str]:
    """`ItemColumns` and `item_columns` -> {"item", "columns"}."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every import statement with the modules it names."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node, node.module
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def median(numbers: list[int]) -> int:
    return sorted(numbers)[len(numbers) // 2]


@every_file
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), "a module begins with what it is for"
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES


@every_file
def test_functions_are_short_and_take_few_arguments(path: Path) -> None:
    too_long = [f"{f.name} ({length(f)})" for f in functions(path) if length(f) > FUNCTION_LINES]
    assert not too_long
    takes_too_much = [
        f"{f.name} ({arguments(f)})"
        for f in functions(path)
        if arguments(f) > ARGUMENTS
        and "kernel" not in decorators(f)  # a compiled loop takes arrays, it cannot take objects
        and f"{where(path)}:{f.name}" not in MAY_TAKE_MORE_ARGUMENTS
        and not is_an_interface(f)
    ]
    assert not takes_too_much


def is_an_interface(function: Function) -> bool:
    """A command's parameters are the options of `palate …`, a route's those of the URL."""
    return any(re.match(r"app\.|get$|post$|put$|patch$|delete$", n) for n in decorators(function))


@every_file
def test_names_say_something(path: Path) -> None:
    names = [path.stem, *(c.name for c in classes(path))]
    if where(path) not in MAY_BE_CALLED_SO:
        assert not [name for name in names if words(name) & SAYS_NOTHING]
    got = {f.name for f in functions(path) if f.name.startswith("get_")}
    assert got <= MAY_START_WITH_GET.keys()


@every_file
def test_no_import_hides_in_a_function(path: Path) -> None:
    hidden = [
        node.lineno
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not hidden


@every_file
def test_what_is_public_is_described(path: Path) -> None:
    public = [
        node
        for node in tree_of(path).body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    ]
    silent = [node.name for node in public if not ast.get_docstring(node)]
    assert not silent or "testing/" in where(path)


@every_file
def test_only_the_engine_and_the_edge_forgive_anything(path: Path) -> None:
    if where(path).startswith(tuple(MAY_FORGIVE_ANYTHING)):
        return
    broad = [
        node.lineno
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
        and not passes_it_on(node)
    ]
    assert not broad


def passes_it_on(handler: ast.ExceptHandler) -> bool:
    """Tidies up and raises the same again: a rollback forgives nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@every_file
def test_heavy_clients_stay_where_they_belong(path: Path) -> None:
    for _, name in imports(path):
        top = name.partition(".")[0]
        if top in ONLY_IN:
            assert where(path).startswith(ONLY_IN[top]), f"{top} is imported"
        if top in CLIENTS:
            assert path.stem in top, f"{top} is imported"


@every_file
def test_nothing_is_left_to_do_in_a_comment(path: Path) -> None:
    assert not re.search(r"#.*\b(TODO|FIXME|XXX|HACK)\b", path.read_text("utf-8"))


@every_file
def test_protocols_are_narrow(path: Path) -> None:
    for each in classes(path):
        if "Protocol" in {ast.unparse(parent).partition("[")[0] for parent in each.bases}:
            methods = [node.name for node in each.body if isinstance(node, Function)]
            assert len(methods) <= PROTOCOL_METHODS, each.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(ROOT.parent)))
def test_a_folder_holds_few_files(folder: Path) -> None:
    if where(folder) not in MAY_HOLD_MORE_FILES:
        assert len(list(folder.glob("*.py"))) <= FOLDER_FILES
    assert not words(folder.name) & SAYS_NOTHING


def test_most_files_and_functions_are_shorter_than_the_limit() -> None:
    files = [len(path.read_text("utf-8").splitlines()) for path in FILES]
    bodies = sorted(length(function) for path in FILES for function in functions(path))
    assert median(files) <= MEDIAN_FILE
    assert median(bodies) <= MEDIAN_FUNCTION
    assert bodies[int(len(bodies) * 0.95)] <= LONG_FUNCTION


def test_imports_never_run_in_a_circle() -> None:
    names = {module_name(path): path for path in FILES}
    graph = {
        name: {used for _, used in imports(path) if used in names and used != name}
        for name, path in names.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(names)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def test_the_front_door_is_small() -> None:
    public = [n for n in vars(__import__("palate")) if not n.startswith("_")]
    packages = {folder.name for folder in FOLDERS} | {path.stem for path in FILES}
    assert len([name for name in public if name not in packages]) <= PUBLIC_NAMES


def test_core_dependencies_are_few_and_each_is_defended() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    core = [re.split(r"[^a-z0-9-]", name)[0] for name in project["dependencies"]]
    assert len(core) <= CORE_DEPENDENCIES
    decisions = "".join(p.read_text("utf-8") for p in (REPOSITORY / "docs/decisions").glob("*.md"))
    assert not [name for name in core if f"**{name}**" not in decisions]


def test_the_environment_is_no_part_of_the_project() -> None:
    """A link to one that is committed puts itself in the place of the real one, and deletes it."""
    git = ["git", "-C", str(REPOSITORY), "ls-files", "--", ".venv", "site", "demo-site"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    assert not found.stdout.split()
