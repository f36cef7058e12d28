"""How strongly a page is spread goes by what the release found that to cost."""

from dataclasses import replace

import pytest

from palate.releases.manifest import Manifest
from palate.releases.release import Release
from palate.reranking.at_most import AtMost
from palate.reranking.diversify import Diversify
from palate.reranking.spreading import spread_of, spreading
from palate.surfaces.home import home
from palate.surfaces.new_for_you import new_for_you
from palate.testing.tiny import tiny_stores


@pytest.mark.parametrize(("share", "cap"), [(1.0, 6), (0.7, 9), (0.5, 12), (0.05, 12), (0.0, 12)])
def test_a_smaller_share_is_a_weaker_pull_and_a_wider_cap(share: float, cap: int) -> None:
    pull, limit = spreading(share)
    assert pull == Diversify(strength=0.1 * share)
    assert limit == AtMost("categories", cap=cap, screen=12)


def test_pages_are_spread_as_the_release_says_and_in_full_without_one() -> None:
    stores = tiny_stores()
    assert spread_of(stores) == 1.0
    release = Release("r", Manifest(created=0.0, version="0", spread=0.25))
    allowed = replace(stores, release=release)
    for surface in (home, new_for_you):
        assert set(spreading(0.25)) < set(surface(allowed).rules)
        assert set(spreading(1.0)) < set(surface(stores).rules)
