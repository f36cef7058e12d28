"""`palate why` against a recomputation by force, sampled (all of it: bench/why.py)."""

from why import judged


def test_why_agrees_with_a_recomputation_in_plain_loops() -> None:
    stages, wrong = judged(60, seed=9)
    assert not wrong
    assert {"shown", "filter", "generate", "pool", "rank"} <= set(stages)
