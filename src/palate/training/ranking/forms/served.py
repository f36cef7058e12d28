"""The ranker's network in the form in which it serves: one visitor and all candidates.

What a visitor brings is the same beside every candidate. Layers that read the features are sums, so
the visitor's part of a sum is worked out once; `RankerNetwork` says what is to come out.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from palate.arrays import Floats
from palate.funnel.worth import PATIENCE
from palate.models.gauss import Gauss
from palate.models.ranker import Voice
from palate.training.export import write_network
from palate.training.ranking.network import FAINT, Attention, Body, RankerNetwork, Seen


class Parted(nn.Module):
    """A layer on features of the visitor, on the others and on what attention found."""

    def __init__(self, layer: nn.Linear, width: int, visitor: Sequence[int]) -> None:
        super().__init__()
        others = np.setdiff1d(np.arange(width), visitor)
        weight = layer.weight.detach().T
        self.register_buffer("bias", layer.bias.detach())
        self.register_buffer("own", weight[list(visitor)])
        self.register_buffer("theirs", weight[others])
        self.register_buffer("found", weight[width:])

    def forward(self, visitor: Tensor | None, others: Tensor, looks: Tensor | None) -> Tensor:
        """(1 or n, own), (n, theirs) and (n, found) -> (n, …)."""
        told = self.get_buffer("bias")
        if visitor is not None:
            told = torch.addmm(told, visitor, self.get_buffer("own"))
        told = torch.addmm(told, others, self.get_buffer("theirs"))
        return told if looks is None else torch.addmm(told, looks, self.get_buffer("found"))


class Looking(nn.Module):
    """`Attention` of one visitor, of whom nothing is padded."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention
        ask = attention.ask.weight.detach().T
        self.register_buffer("ask", ask * ask.shape[0] ** 0.5)
        self.register_buffer("nothing", torch.zeros(1, ask.shape[1]))

    def forward(self, candidates: Tensor, history: Tensor, outcomes: Tensor) -> Tensor:
        """(n, dim), (m, dim), (m,) -> (n, 2 · LOOKS)."""
        looking, nothing = self.attention, self.get_buffer("nothing")
        asked = candidates @ self.get_buffer("ask")
        keys = torch.cat([looking.keys(history), nothing])
        said = torch.cat([looking.how(outcomes).squeeze(-1), looking.away])
        told = torch.cat([looking.tell(history) + looking.outcome(outcomes), nothing])
        found = torch.addmm(said, asked, keys.T).softmax(-1) @ told
        return torch.cat([found, found * asked], dim=-1)


class Crossed(nn.Module):
    """`Body`, with the layers that read the features parted."""

    def __init__(self, body: Body, width: int, visitor: Sequence[int]) -> None:
        super().__init__()
        deep, self.middle, self.last = (x for x in body.deep if isinstance(x, nn.Linear))
        self.body = body
        self.into = Parted(body.into, width, visitor)
        self.deep = Parted(deep, width, visitor)
        self.register_buffer("bias", (body.crossed.bias + self.last.bias).detach())

    def forward(self, visitor: Tensor | None, others: Tensor, looks: Tensor | None) -> Tensor:
        """As `Parted` -> (n, SHARED)."""
        first = self.into(visitor, others, looks)
        y = first
        for down, up in zip(self.body.down, self.body.up, strict=True):
            y = first * up(down(y)) + y
        deep = torch.relu(self.middle(torch.relu(self.deep(visitor, others, looks))))
        both = torch.addmm(self.get_buffer("bias"), y, self.body.crossed.weight.T)
        return torch.relu(torch.addmm(both, deep, self.last.weight.T))


class Served(nn.Module):
    """One visitor's candidates, as serving feeds them."""

    def __init__(self, network: RankerNetwork, visitor: Sequence[int] = ()) -> None:
        super().__init__()
        self.network, self.visitor = network, tuple(visitor)
        width = network.shape.width
        self.looking = Looking(network.attention) if network.attention else None
        self.crossed = Crossed(network.body, width, visitor)
        self.straight = Parted(network.straight, width, visitor)

    def forward(self, *told: Tensor) -> tuple[Tensor, Tensor]:
        """What `inputs_of` names -> logits (n, heads) and the shared layer (n, SHARED).

        Fusion is heard by who asks (`models.ranker.Voice`), in one loop with trees.
        """
        given = iter(told)
        visitor = next(given) if self.visitor else None
        others = next(given)
        looks = self.looking(*given) if self.looking else None
        layer = self.crossed(visitor, others, looks)
        own = torch.addmm(self.straight(visitor, others, None), layer, self.network.heads.weight.T)
        return own, layer


class ByRow(nn.Module):
    """The network as it was learnt, which reads a row as a whole: the form for whole numbers.

    ONNX Runtime multiplies in 8 bits only where nothing that varies is added to the sum.
    """

    def __init__(self, network: RankerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, scaled: Tensor, *more: Tensor) -> tuple[Tensor, Tensor]:
        """As `Served` without a visitor."""
        votes = int(bool(self.network.close))
        close = more[0] if votes else torch.zeros(len(scaled), 0)
        taste = more[votes:] or nothing(len(scaled))
        seen = Seen(scaled, close, *taste)
        layer = self.network.layer(seen)
        return self.network.probabilities(seen, layer), layer


def nothing(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """No vectors and no history."""
    return torch.zeros(n, 0), torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)


def write_ranker(file: Path, network: RankerNetwork, visitor: Sequence[int]) -> None:
    """Export the network for the features of the `visitor` apart; it gives logits."""
    example, axes = inputs_of(network, visitor)
    write_network(file, Served(network, visitor), example, axes, ("logits", "layer"))


def write_by_row(file: Path, network: RankerNetwork) -> None:
    """Export the network for whole rows; it gives probabilities."""
    example, axes = inputs_of(network)
    if network.close:
        example = (example[0], torch.zeros(3, len(network.close)), *example[1:])
        axes = {"scaled": axes.pop("scaled"), "close": {0: "items"}, **axes}
    write_network(file, ByRow(network), example, axes, ("answer", "layer"))


def inputs_of(
    network: RankerNetwork, visitor: Sequence[int] = ()
) -> tuple[tuple[Tensor, ...], dict[str, dict[int, str]]]:
    """Inputs to export with, and their names with the axes that vary.

    ``visitor`` has one row, or one for each candidate where these were shown to several.
    """
    width, dim = network.shape.width, network.shape.dim
    inputs: list[Tensor] = [torch.zeros(1, len(visitor))] if visitor else []
    axes = {"visitor": {0: "visitors"}} if visitor else {}
    inputs.append(torch.zeros(3, width - len(visitor)))
    axes["scaled"] = {0: "items"}
    if dim:
        outcomes = torch.zeros(2, dtype=torch.int64)
        inputs += [torch.zeros(3, dim), torch.zeros(2, dim), outcomes]
        axes |= {"candidates": {0: "items"}, "history": {0: "acts"}, "outcomes": {0: "acts"}}
    return tuple(inputs), axes


def voice_of(network: RankerNetwork) -> Voice:
    """How fusion is heard beside the logits; without votes it is not."""
    votes = tuple(map(float, network.get_buffer("votes")))
    share, anchor = 1.0 - network.learnt, float(network.get_buffer("anchor")[0])
    return Voice(votes=votes, patience=PATIENCE, faint=FAINT, anchor=anchor, share=share)


def feed_of(network: RankerNetwork, features: Floats, gauss: Gauss) -> dict[str, Floats]:
    """What `write_by_row` of a network without attention reads of these features, by name."""
    feed = {"scaled": gauss(features)}
    return feed | {"close": features[:, network.close]} if network.close else feed
