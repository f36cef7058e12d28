"""What a feature means is never changed under its name: releases that learnt it still serve.

A new feature is put on record by `python -m tests.features.test_meanings`.
"""

import json
from pathlib import Path

from palate.features.vector import DECLARED, meanings

RECORD = Path(__file__).parents[1] / "golden" / "meanings.json"
TODAY = meanings([feature.name for feature in DECLARED])


def test_what_a_release_may_have_learnt_is_still_there_and_means_the_same() -> None:
    known = json.loads(RECORD.read_text("utf-8"))
    changed = sorted(name for name, was in known.items() if TODAY.get(name) != was)
    assert not changed, (
        f"{', '.join(changed)}: leave the old line as it was, with retired=True, and declare the"
        " new one under a new name; else older releases serve without their ranker. The same where"
        " a source or a fold behind it changed: give the new one a name of its own. Only what was"
        " wrong, so that nobody should go on with it, is taken off the record."
    )


def test_every_feature_is_on_record() -> None:
    new = sorted(set(TODAY) - set(json.loads(RECORD.read_text("utf-8"))))
    assert not new, f"{', '.join(new)}: run python -m tests.features.test_meanings"


if __name__ == "__main__":
    held = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    RECORD.write_text(json.dumps(TODAY | held, indent=0, sort_keys=True) + "\n", "utf-8")
