"""From what was learnt to what serves: a network, trees or both, with their facts."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from palate.features.vector import feature_of
from palate.models.ranker import Mix, RankerFacts
from palate.models.trees import Trees
from palate.training.ranking.blend import Blend
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.folds import Learnt
from palate.training.ranking.forms.served import voice_of, write_ranker


def export_ranker(folder: Path, learnt: Learnt, facts: RankerFacts) -> RankerFacts:
    """Write a ranker and its facts into `folder`; they name only the features that are read."""
    folder.mkdir(parents=True, exist_ok=True)
    network, trees, mix = _parts(learnt)
    if network is not None:
        facts, trees = _read(facts, network, trees)
        network.gauss.save(folder)
        write_ranker(folder / "ranker.onnx", network.network, facts.visitor)
    if trees is not None:
        trees.save(folder)
    facts = msgspec.structs.replace(facts, mix=mix)
    (folder / "ranker.json").write_bytes(msgspec.json.encode(facts))
    return facts


def _parts(learnt: Learnt) -> tuple[Fitted | None, Trees | None, Mix | None]:
    if isinstance(learnt, Blend):
        return learnt.network, learnt.trees, learnt.mix
    return (None, learnt, None) if isinstance(learnt, Trees) else (learnt, None, None)


def _read(
    facts: RankerFacts, network: Fitted, trees: Trees | None
) -> tuple[RankerFacts, Trees | None]:
    """The facts of the columns that are read: the network's first, what only trees read behind."""
    reads = network.reads.tolist()
    if trees is not None:
        reads += sorted(set(trees.feature[trees.feature >= 0].tolist()) - set(reads))
        trees = trees.reading(reads)
    features = tuple(facts.features[at] for at in reads)
    told = msgspec.structs.replace(
        facts,
        features=features,
        means=tuple(facts.means[at] for at in reads),
        close=network.network.close,
        voice=voice_of(network.network),
        visitor=visitor_of(features[: len(network.reads)]),
    )
    return told, trees


def visitor_of(features: Sequence[str]) -> tuple[int, ...]:
    """Places of those that say who asks, and when: a request has one of each."""
    found = [feature_of(name) for name in features]
    return tuple(at for at, each in enumerate(found) if each and each.subject == "user")
