"""The user tower as a compiled loop says what its network says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from palate.models.networks import LastSteps, session
from palate.models.two_tower import TIME_BUCKETS
from palate.training.export import write_user
from palate.training.towers import OUTCOMES, AveragedUsers, Users, UserTower

DIM, HISTORY = 24, 12


def alone() -> Users:
    return UserTower(DIM, HISTORY, 1, 0.0)


def averaged() -> Users:
    return AveragedUsers([UserTower(DIM // 3, HISTORY, 1, 0.0) for _ in range(3)])


@pytest.fixture(scope="module", params=[alone, averaged])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(4)
    tower = request.param()
    with torch.no_grad():
        for weights in tower.parameters():  # some begin as 0, and would hide a mistake
            weights.add_(torch.randn_like(weights) * 0.3)
    file = tmp_path_factory.mktemp("tower") / "user.onnx"
    write_user(file, tower, DIM)
    return file


@pytest.mark.parametrize("count", [1, 2, 7, HISTORY])
def test_one_loop_says_what_the_network_says(exported: Path, count: int) -> None:
    dice = np.random.default_rng(count)
    feed = {
        "vectors": dice.standard_normal((count, DIM)).astype(np.float32),
        "outcomes": dice.integers(0, OUTCOMES, count),
        "waits": dice.integers(0, TIME_BUCKETS, count),
        "ages": dice.integers(0, TIME_BUCKETS, count),
    }
    [[wanted]] = session(exported).run(None, {name: each[None] for name, each in feed.items()})
    tower = LastSteps.load(exported.with_suffix(".npz"))
    assert tower is not None
    found = tower(feed["vectors"], feed["outcomes"], feed["waits"], feed["ages"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_weights_of_another_tower_or_broken_ones_are_refused(
    exported: Path, tmp_path: Path
) -> None:
    tower = LastSteps.load(exported.with_suffix(".npz"))
    assert tower is not None
    assert tower.fits(DIM, HISTORY)
    assert not tower.fits(DIM, HISTORY + 1)
    assert not tower.fits(DIM * 2, HISTORY)
    whole = exported.with_suffix(".npz").read_bytes()
    for broken in (whole[: len(whole) // 2], b""):
        (tmp_path / "user.npz").write_bytes(broken)
        with pytest.raises(ValueError, match=r"user\.npz"):
            LastSteps.load(tmp_path / "user.npz")


def test_a_tower_of_two_blocks_and_an_older_release_have_their_network_alone(
    tmp_path: Path,
) -> None:
    write_user(tmp_path / "user.onnx", UserTower(DIM, HISTORY, 2, 0.0), DIM)
    assert LastSteps.load(tmp_path / "user.npz") is None
