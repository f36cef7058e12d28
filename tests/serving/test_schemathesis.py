"""Schemathesis against our own OpenAPI: no answer is a fault of ours.

A few cases of every operation here, right and wrong ones; `PALATE_FUZZ=200 python -m pytest
tests/serving/test_schemathesis.py` goes on for long, with other cases each time.
"""

import os
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from tests.serving.conftest import SmallSite
from tests.serving.test_bad_input import GOLDEN, sound

WALK = settings(
    max_examples=int(os.environ.get("PALATE_FUZZ", "4")),
    deadline=None,
    derandomize="PALATE_FUZZ" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BASE = "http://testserver"


def operations() -> Iterator[APIOperation]:
    """Of the document that the site serves."""
    for found in schemathesis.openapi.from_dict(GOLDEN).get_all_operations():
        yield found.ok()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", operations(), ids=lambda each: each.label)
def test_no_operation_answers_with_a_fault_of_ours(
    site: SmallSite, operation: APIOperation, mode: GenerationMode
) -> None:
    @WALK
    @given(operation.as_strategy(mode))
    def walk(case: Case) -> None:
        status, kind, text = asked(site, case)
        assert sound(status, kind, text), (case.as_curl_command(), status, text[:500])

    try:
        walk()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, operation.label
        pytest.skip("every text is right here: there is nothing to get wrong")


def asked(site: SmallSite, case: Case) -> tuple[int, str, str]:
    """Status, content type and body of the answer to a case."""
    wire = case.as_transport_kwargs(base_url=BASE)
    sent = {name: wire[name] for name in ("params", "headers", "json") if wire.get(name)}
    if wire.get("data") is not None:
        sent["content"] = wire["data"]
    answer = site.client.request(wire["method"], wire["url"], **sent)
    return answer.status_code, answer.headers.get("content-type", ""), answer.text
