"""The simulator's own check of propensities, of a served site: whole pages and short ones."""

from tests.serving.conftest import SmallSite

from palate.evaluation.simulator.chances import propensities
from palate.evaluation.simulator.served import Api


def test_what_is_on_record_holds_of_a_served_site(site: SmallSite) -> None:
    told: list[int] = []
    asked = ("", '"drama" in categories', '"space" in categories and published_at < now')
    found = propensities(Api(site.client), asked, lambda turn, _: told.append(turn), rounds=90)
    assert told[-1] == found.asked == 90
    assert found.certain
    assert found.steady == 1.0, "nothing happened in between"
    assert found.explored >= 30
    assert found.worst < 5.0
