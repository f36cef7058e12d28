"""Plain words for the parts of the funnel, for people who never read its code."""

from typing import NamedTuple


class Part(NamedTuple):
    """A generator, as people read of it."""

    label: str
    looks_for: str


GENERATORS = {
    "covisit": Part("Chosen together", "others chose it together with what you chose"),
    "linear": Part("Your whole history", "all you ever took in, added up, points to it"),
    "together": Part("Taken by the same people", "many who took what you took also took it"),
    "ials": Part("Shared taste", "people whose taste is like yours take it in"),
    "two_tower": Part("Learnt likeness", "close to your latest acts in what was learnt"),
    "content": Part("Alike", "described like what you took in"),
    "trending": Part("On the rise", "taken in more and more just now"),
    "popular": Part("Popular", "what most people take in these days"),
    "popular_in_genre": Part("Best of your genres", "popular in the categories you keep to"),
    "popular_in_segment": Part("People like you", "popular with people of your kind"),
    "popular_in_region": Part("Around you", "popular in your country"),
    "followed": Part("Makers you follow", "from makers you follow, or whose work you liked"),
    "fresh": Part("New", "new, and nearest to your taste"),
    "unfinished": Part("Begun", "begun and not ended"),
    "anything": Part("By lot", "drawn by lot, so that everything gets its chance"),
    "eligible": Part("Whatever fits", "fills up a page that would be short"),
}
"""What each generator looks for; one that is not here goes by its name."""

BESIDE = {
    "covisit": "others chose both",
    "two_tower": "close to the one the row is about, in what was learnt",
    "content": "described like the one the row is about",
    "popular_in_genre": "popular in the same categories",
}
"""What they look for in a row about one item."""

RULES = {
    "rest_shown": "The rest for what was shown too often",
    "boost_fresh": "The push for what is new",
    "diversify": "Variety on the page",
    "at_most": "The limit on one kind of thing",
    "explore": "The room given to chance",
}
"""Who moved an item."""

REMOVED = {
    "hide_seen": "that you have had already",
    "hide_seen_for": "that you have had already",
    "hide_muted": "by somebody whom you have hidden",
    "hide_policy": "that may not be shown to you now",
    "hide_seed": "that the page is about",
}
"""What the filters took out: "12 that you have had already"."""

HEADS = {"click": "Opened", "positive": "Liked", "negative": "Turned down"}
"""What the ranker expects to become of an item; a view goes by the site's word."""


def generator(name: str, *, beside: bool = False) -> Part:
    """Label and purpose of a generator; `beside` in a row about one item."""
    part = GENERATORS.get(name) or Part(spaced(name).capitalize(), "")
    return Part(part.label, BESIDE.get(name, part.looks_for)) if beside else part


def rule(name: str) -> str:
    """What moved an item, at the beginning of a sentence."""
    return RULES.get(name.partition(":")[0]) or spaced(name).capitalize()


def removed(name: str) -> str:
    """Of what was taken out, by the name of the stage that did it."""
    last = name.rpartition(".")[2]
    return REMOVED.get(last.partition(":")[0]) or f"by {spaced(last)}"


def head(name: str, viewed: str) -> str:
    """An outcome that the ranker foresees."""
    return HEADS.get(name) or (viewed if name == "view" else spaced(name)).capitalize()


def feature(name: str, meaning: str) -> str:
    """What a feature says, short: its meaning up to where it speaks of exceptions.

    >>> feature("item_age_days", "Since publication; 0 where unknown")
    'Since publication'
    >>> feature("covisit_rank", "1 / rank by covisit; 0 where it did not find the item")
    'How high “Chosen together” ranked it'
    """
    by, _, of = name.rpartition("_")
    if by in GENERATORS and of in ("rank", "score"):
        how = "How high" if of == "rank" else "How strongly"
        verb = "ranked it" if of == "rank" else "speaks for it"
        return f"{how} “{GENERATORS[by].label}” {verb}"
    return meaning.partition(";")[0] or spaced(name)


def spaced(name: str) -> str:
    """`filter.hide_seen` -> "filter: hide seen"."""
    return name.replace(".", ": ").replace("_", " ")
