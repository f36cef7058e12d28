"""From what was learnt to what serves: a network or trees, with their facts."""

from pathlib import Path

import msgspec

from palate.models.ranker import RankerFacts
from palate.models.trees import Trees
from palate.training.export import write_network
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.network import Served, example_of


def export_ranker(folder: Path, learnt: Fitted | Trees, facts: RankerFacts) -> RankerFacts:
    """Write a ranker and its facts into `folder`; a network's name only the features it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(learnt, Fitted):
        facts = _read(facts, learnt)
    (folder / "ranker.json").write_bytes(msgspec.json.encode(facts))
    if isinstance(learnt, Trees):
        learnt.save(folder)
        return facts
    learnt.gauss.save(folder)
    example, axes = example_of(learnt.network)
    write_network(folder / "ranker.onnx", Served(learnt.network), example, axes)
    return facts


def _read(facts: RankerFacts, learnt: Fitted) -> RankerFacts:
    """The facts of the columns that this network reads."""
    reads = learnt.reads.tolist()
    return msgspec.structs.replace(
        facts,
        features=tuple(facts.features[at] for at in reads),
        means=tuple(facts.means[at] for at in reads),
        close=learnt.network.close,
    )
