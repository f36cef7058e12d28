"""What msgspec and tomllib say of a wrong setting, in words that name what may be written."""

import re
from typing import Literal, Union, get_args, get_origin, get_type_hints

import msgspec

WANTED = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
}
BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_bound = re.compile(r"Expected `(?:int|float)` ([<>]=?) (\S+)")
_typed = re.compile(r"Expected `(\w+)[^`]*`(?:, got `(\w+)`)?")
_enum = re.compile("Invalid enum value (.+)")
_twice = re.compile(r"Cannot declare \((.+?),?\) twice")


def sentence(what: str, table: type[msgspec.Struct] | None = None, name: str = "") -> str:
    """What is wrong with a value, in words; `table` and `name` say whose it is.

    >>> sentence("Expected `int`, got `str`")
    'a whole number is wanted, not text'
    >>> sentence("Expected `int` <= 65535")
    'it must be at most 65535'
    """
    if bound := _bound.fullmatch(what):
        return f"it must be {BOUNDS[bound[1]]} {bound[2].removesuffix('.0')}"
    if (enum := _enum.fullmatch(what)) and (allowed := _allowed(table, name)):
        return f"{enum[1]} is none of {', '.join(allowed)}"
    typed = _typed.fullmatch(what)
    if typed is None or typed[1] not in WANTED:
        return what
    got = WANTED.get(typed[2] or "", typed[2] or "").removesuffix(" in quotes")
    return f"{WANTED[typed[1]]} is wanted" + (f", not {got}" if got else "")


def of_file(problem: str) -> str:
    """The same of a file that is no TOML.

    >>> of_file("Cannot declare ('serving',) twice (at line 3, column 9)")
    '[serving] is there twice (at line 3, column 9)'
    """
    told = problem.replace("Cannot overwrite a value", "a name that is there already")
    return _twice.sub(lambda found: f"[{_dotted(found[1])}] is there twice", told)


def _dotted(names: str) -> str:
    return ".".join(each.strip(" '\"") for each in names.split(","))


def _allowed(table: type[msgspec.Struct] | None, name: str) -> list[str]:
    """What a setting of few values may be."""
    kind = get_type_hints(table, include_extras=True).get(name) if table else None
    kinds = (kind, *get_args(kind)) if get_origin(kind) is not Literal else (kind,)
    few = [repr(each) for of in kinds if get_origin(of) is Literal for each in get_args(of)]
    return [*few, "a number"] if few and get_origin(kind) is Union else few
