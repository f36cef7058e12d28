"""What msgspec says of a document that does not convert, with a place and a cure."""

import re

import msgspec

from palate.errors import Problem

WANTED = {
    "int": "a whole number is wanted",
    "float": "a number is wanted",
    "str": "a string is wanted",
    "bool": "true or false is wanted",
    "array": "a list is wanted",
    "object": "an object is wanted",
}
"""What msgspec calls a type, as a cure."""
GOT = {"str": "a string", "int": "a number", "float": "a number", "bool": "true or false"} | {
    "array": "a list",
    "object": "an object",
}
_typed = re.compile(r"Expected `(\w+)[^`]*`(?:, got `(\w+)`)?")
_unknown = re.compile(r"Object contains unknown field `(.+)`")
_lacking = re.compile(r"Object missing required field `(.+)`")


def converted_problem(error: msgspec.ValidationError) -> Problem:
    """Where a document has a value of another type, and what is wanted there."""
    what, _, where = str(error).partition(" - at `$")
    pointer = where.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
    if strange := _unknown.match(what):
        return Problem(f"{pointer}/{strange[1]}", "there is no such field; leave it out")
    if lacking := _lacking.match(what):
        return Problem(f"{pointer}/{lacking[1]}", "it is missing")
    return Problem(pointer, wanted(what))


def wanted(what: str, given: str | None = None) -> str:
    """A sentence for ``Expected `int`, got `str` ``; other sentences stay as they are."""
    typed = _typed.match(what)
    if typed is None or typed[1] not in WANTED or (what != typed[0] and given is None):
        return what
    got = GOT.get(typed[2] or "", typed[2]) if given is None else repr(given)
    return f"{WANTED[typed[1]]}, not {got}" if got else WANTED[typed[1]]
