"""From torch to what serves: ONNX networks and plain arrays."""

import warnings
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from palate.index.opening import Building, Tuned
from palate.models.networks import LastStep, LastSteps
from palate.models.two_tower import ITEM_NETWORK, STEP, TowerFacts, Tune, save_table
from palate.training.towers import AveragedUsers, Block, ItemTower, Users, UserTower
from palate.training.two_tower import Towers

OPSET = 17


ASKED = 200
"""Visitors' vectors that the index is tuned for."""


def export_tower(
    folder: Path, towers: Towers, names: tuple[str, ...], how: Building, wanted: float = 0.0
) -> Tuned | None:
    """Write both towers into `folder`, index included; `names` are the categories by code.

    The index is tuned until it finds a share `wanted` of the truth for vectors of real visitors;
    returns how well it does, None where the towers bring no such vectors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tower = towers.items
    known = (tower.counts > 0) | (tower.content != 0).any(dim=1).numpy()
    table = tower.table(np.asarray(known))
    facts = TowerFacts(
        dim=table.vectors.shape[1],
        history=towers.users.history,
        categories=names,
        share=towers.share,
    )
    tune, background = None, towers.background
    if background is not None:
        some = background.users[:: -(-len(background.users) // ASKED)]
        tune = Tune(some.astype(np.float32), wanted)
    done = save_table(folder, facts, table, how, tune)
    write_user(folder / "user.onnx", towers.users, facts.dim)
    write_item(folder / ITEM_NETWORK, tower)
    if background is not None:
        background.save(folder)
    return done


def write_item(file: Path, tower: ItemTower) -> None:
    """Export the part of the item tower that new items need, for any number of them."""
    content, codes = tower.content[:1], tower.codes[:1]
    axes = {name: {0: "items"} for name in ("content", "categories")}
    write_network(file, ContentPath(tower), (content, codes), axes)


def write_user(file: Path, tower: Users, dim: int) -> None:
    """Export a user tower for histories of any length."""
    steps = 3  # any length will do: the axis is declared to vary
    vectors, codes = torch.zeros(1, steps, dim), torch.zeros(1, steps, dtype=torch.int64)
    axes = {name: {1: "steps"} for name in ("vectors", "outcomes")}
    if len(tower.blocks) == 1:
        axes |= {name: {1: "steps"} for name in ("waits", "ages")}
        write_network(file, Newest(tower), (vectors, codes, codes, codes), axes)
        last_steps(tower).save(file.with_suffix(STEP))
        return
    spans = torch.zeros(1, steps, steps, dtype=torch.int64)
    axes["spans"] = {1: "steps", 2: "steps"}
    write_network(file, WholePast(tower), (vectors, codes, spans), axes)


class ContentPath(nn.Module):
    """The item tower as it is served to new items: content and categories, without δ."""

    def __init__(self, tower: ItemTower) -> None:
        super().__init__()
        self.weight = nn.Parameter(tower.weight.detach().clone())
        bag = tower.bag.weight.detach()[:-1]
        self.bag = nn.Parameter(torch.cat([bag, torch.zeros(1, bag.shape[1])]))

    def forward(self, content: Tensor, categories: Tensor) -> Tensor:
        """(n, 64) and codes (n, 8), of which those beyond the table are none -> (n, dim)."""
        none = len(self.bag) - 1
        held = (categories < none).sum(1, keepdim=True).clamp(min=1)
        vectors: Tensor = content @ self.weight + self.bag[categories].sum(1) / held
        return vectors


class Newest(nn.Module):
    """The user tower as it is served: one visitor, the newest step only."""

    def __init__(self, tower: Users) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, vectors: Tensor, outcomes: Tensor, waits: Tensor, ages: Tensor) -> Tensor:
        """(1, L, dim) and three of (1, L) -> (1, dim)."""
        return self.tower.newest(vectors, outcomes, waits, ages)


def last_steps(users: Users) -> LastSteps:
    """The weights of towers of one block, as serving reads them."""
    members = users.members if isinstance(users, AveragedUsers) else [users]
    return LastSteps(tuple(_last_step(each) for each in members))


def _last_step(tower: UserTower) -> LastStep:
    [block] = cast("list[Block]", list(tower.blocks))
    norms = (block.before, block.between, tower.last)
    gates = cast("list[nn.Linear]", list(block.gates))
    told = (
        tower.outcomes.weight,
        tower.recency.weight,
        tower.distance,
        tower.time.weight,
        torch.stack([torch.stack([each.weight, each.bias]) for each in norms]),
        torch.stack([*block.qkv.weight.chunk(3), block.out.weight]),
        block.wide.weight,
        block.narrow.weight,
        torch.stack([each.weight for each in gates]),
        torch.stack([each.bias for each in gates]),
    )
    return LastStep(*(each.detach().numpy() for each in told))


class WholePast(nn.Module):
    """The same of a tower of several blocks, which reads the spans between all its events."""

    def __init__(self, tower: Users) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, vectors: Tensor, outcomes: Tensor, spans: Tensor) -> Tensor:
        """(1, L, dim), (1, L), (1, L, L) -> (1, dim)."""
        return self.tower.newest_of(vectors, outcomes, spans)


def write_network(
    file: Path,
    network: nn.Module,
    example: tuple[Tensor, ...],
    axes: dict[str, dict[int, str]],
    answers: tuple[str, ...] = ("answer",),
) -> None:
    """Export a network whose inputs are named as `axes` says, with the axes that vary.

    `answers` are the names of what it gives.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is old, tested, and needs no more
        torch.onnx.export(
            network.eval(),
            example,
            str(file),
            input_names=list(axes),
            output_names=list(answers),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def as_tensor(array: NDArray[np.float32]) -> Tensor:
    """A float32 tensor over the same memory where it can be."""
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
