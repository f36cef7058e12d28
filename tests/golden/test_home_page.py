"""One whole Home page on the tiny world, item for item.

A change of it is a change of what people are shown: look at it, then write the file anew with
``PALATE_WRITE_GOLDEN=1 python -m pytest tests/golden``.
"""

import json
import os
from pathlib import Path
from typing import Any

from palate.funnel.types import Answer
from palate.surfaces import funnel
from palate.testing.tiny import tiny_names, tiny_stores, tiny_world, waited

FILE = Path(__file__).with_name("home_page.json")


def described(answer: Answer) -> dict[str, Any]:
    slate, trace = answer.slate, answer.trace
    assert slate.explore is not None
    assert slate.propensity is not None
    assert trace.ranked is not None
    entries = zip(
        tiny_names(slate.rows),
        slate.scores.tolist(),
        slate.explore.tolist(),
        slate.propensity.tolist(),
        answer.reasons,
        strict=True,
    )
    return {
        "step": answer.step,
        "stages": [f"{stage.name} {stage.entered} -> {stage.left}" for stage in trace.stages],
        "removed": {name: tiny_names(rows) for name, rows in trace.removed.items()},
        "items": [
            {
                "item": item,
                "score": round(score, 4),
                "explore": explore,
                "propensity": round(propensity, 4),
                "reason": reason.kind,
                "because": tiny_names(list(reason.rows)),
                "generator": reason.generator,
            }
            for item, score, explore, propensity, reason in entries
        ],
    }


def test_home_is_the_page_that_it_was() -> None:
    answer = waited(funnel("home", tiny_stores()).answer(tiny_world().query("u1", size=12)))
    page = described(answer)
    if os.environ.get("PALATE_WRITE_GOLDEN"):
        FILE.write_text(json.dumps(page, indent=1) + "\n", "utf-8")
    assert page == json.loads(FILE.read_text("utf-8"))
