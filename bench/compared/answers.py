"""What every model reached for every user, kept aside, so that two models can be compared in pairs.

The arrays lie below the bench's working folder, one file a row of the results; the comparisons that
are made of them go into the results file, so the tables need nothing but that.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compared.ledger import Place, Summary
from palate.arrays import Doubles
from palate.evaluation.bootstrap import interval

OURS = ("funnel", "ranker", "fusion", "covisit tuned")
"""Who is compared with whom: each of these with every peer, and the ranker with fusion."""
FOLDER = "answers"


def keep(work: Path, key: str, part: str, model: str, reached: Doubles) -> None:
    """Keep N@10 of each user of a slice, (users,), in the order of the split's cases."""
    file = _file(work, key, part, model)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, reached.astype(np.float32))


def kept(work: Path, summary: Summary) -> Doubles | None:
    """(users,): mean over the seeds of what was kept; None where any is missing."""
    place = summary.place
    files = [_file(work, str(s["key"]), place.slice, place.model) for s in summary.seeds]
    if not files or not all(file.is_file() for file in files):
        return None
    reached: Doubles = np.mean([np.load(file).astype(np.float64) for file in files], axis=0)
    return reached


def _file(work: Path, key: str, part: str, model: str) -> Path:
    named = hashlib.blake2b(f"{key}/{part}/{model}".encode(), digest_size=12).hexdigest()
    return work / FOLDER / f"{named}.npy"


def pairs(
    work: Path, found: Mapping[Place, Summary], peers: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Each of ours beside each peer that was asked the same: the difference, and how sure it is."""
    for place, summary in found.items():
        own = kept(work, summary) if place.model in OURS else None
        if own is None:
            continue
        for name in (*peers, "fusion"):
            other = found.get(_beside(place, name))
            theirs = kept(work, other) if other and name != place.model else None
            if other is not None and theirs is not None and len(theirs) == len(own):
                low, high = interval(own - theirs, 1)
                yield {
                    **place._asdict(),
                    "than": name,
                    "difference": float((own - theirs).mean()),
                    "interval": (low, high),
                    "relative": float((own - theirs).mean() / max(theirs.mean(), 1e-9)),
                    "users": len(own),
                    "seed": 0,
                    "seeds": [len(summary.seeds), len(other.seeds)],
                    "keys": [str(summary.seeds[0]["key"]), str(other.seeds[0]["key"])],
                }


def _beside(place: Place, name: str) -> Place:
    """Where a model's row stands that is compared with this one."""
    return place._replace(model=name, training=place.training if name == "fusion" else "")
