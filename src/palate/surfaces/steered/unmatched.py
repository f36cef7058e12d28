"""Conditions that hold of no item, and words that none has: today, for they may come."""

from collections.abc import Iterator
from difflib import get_close_matches

from palate.catalog.filterable import Filterable
from palate.errors import SAID
from palate.expressions.tree import (
    VISITOR,
    Among,
    Compare,
    Condition,
    Constant,
    Field,
    Listed,
    Value,
    parts,
)
from palate.reranking.editorial.where import Where
from palate.stores import Stores
from palate.surfaces.steered.compile import Made

COMPARED = 2_000
"""So many words are looked through for one that is like it."""


def unmatched(made: Made, stores: Stores) -> list[str]:
    """What of a rule finds nothing in the catalogue, in a sentence; none where all does.

    Looks through the whole catalogue: for changes and questions, not for every look.
    """
    where = getattr(made.part, "where", None)
    if not isinstance(where, Where) or where.condition is None:
        return []
    unknown = _unknown(where.condition, Filterable(stores.columns.plain))
    rule = f"rule {made.rule.id}"
    if where.lasting and not len(where.everywhere()):
        return [": ".join([f"{rule} matches no item today", *unknown[:1]])]
    return [f"{rule}: {each}" for each in unknown]


def _unknown(condition: Condition, items: Filterable) -> list[str]:
    """The first few words that no item has where they are asked for."""
    schema, there = items.schema(), dict[str, list[str]]()
    told: list[str] = []
    for field, word in dict.fromkeys(_asked(condition)):
        if len(told) == SAID:
            break
        if schema.get(field) not in {"text", "texts"}:
            continue
        if field not in there:
            there[field] = items.words(field)
        words = there[field]
        if word not in words and not items.longer(field, [word]).any():
            told.append(f"no item has {word!r} in {field}{_meant(word, words)}")
    return told


def _asked(condition: Condition) -> Iterator[tuple[str, str]]:
    """Fields of items and the words that they are asked for."""
    for part in parts(condition):
        match part:
            case Compare(_, left, right) | Among(left, right):
                yield from _pairs(left, right)
                yield from _pairs(right, left)
            case _:
                continue


def _pairs(field: Value | Listed, word: Value | Listed) -> Iterator[tuple[str, str]]:
    if not isinstance(field, Field) or field.name.startswith(VISITOR):
        return
    for each in word.values if isinstance(word, Listed) else (word,):
        if isinstance(each, Constant) and isinstance(each.value, str):
            yield field.name.removeprefix("item."), each.value


def _meant(word: str, words: list[str]) -> str:
    alike = [each for each in words if each.casefold() == word.casefold()]
    near = alike or get_close_matches(word, words[:COMPARED], 1)
    return f"; did you mean {near[0]!r}?" if near else ""
