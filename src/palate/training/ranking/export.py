"""From what was learnt to what serves: a network or trees, with their facts."""

from pathlib import Path

import msgspec

from palate.models.ranker import RankerFacts
from palate.models.trees import Trees
from palate.training.export import write_network
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.network import Served, example_of


def export_ranker(folder: Path, learnt: Fitted | Trees, facts: RankerFacts) -> None:
    """Write a ranker and its facts into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ranker.json").write_bytes(msgspec.json.encode(facts))
    if isinstance(learnt, Trees):
        learnt.save(folder)
        return
    learnt.gauss.save(folder)
    example, axes = example_of(learnt.network.shape)
    write_network(folder / "ranker.onnx", Served(learnt.network), example, axes)
