"""A release in memory: everything training made, ready to serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from palate.errors import CorruptRelease
from palate.features.vector import FEATURES, layout_hash
from palate.models.ranker import RankerModel
from palate.models.two_tower import TwoTower
from palate.releases.manifest import Manifest, read, verify

TOWER, RANKER = "two_tower", "ranker"
"""Folders inside a release; one that the gate refused is not there."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is live. A part that the gate refused is None, and the funnel does without it."""

    name: str
    manifest: Manifest
    two_tower: TwoTower | None = None
    ranker: RankerModel | None = None
    fusion: Mapping[str, float] = field(default_factory=dict)
    """Generator -> weight of its reciprocal rank; empty is one each."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Verify, then load. Raises CorruptRelease with a sentence that names the file."""
        manifest = read(folder)
        verify(folder, manifest)
        _check_layout(folder, manifest)
        tower, ranker = folder / TOWER, folder / RANKER
        try:
            return cls(
                manifest.name,
                manifest,
                TwoTower.load(tower) if tower.is_dir() else None,
                RankerModel.load(ranker) if ranker.is_dir() else None,
                manifest.fusion,
            )
        except (OSError, ValueError, KeyError) as error:
            raise CorruptRelease(f"{folder} cannot be loaded: {error}") from error


def _check_layout(folder: Path, manifest: Manifest) -> None:
    known = {feature.name for feature in FEATURES}
    unknown = [name for name in manifest.features if name not in known]
    if unknown:
        raise CorruptRelease(
            f"{folder / 'manifest.json'} asks for the feature {unknown[0]!r}, which this build does"
            " not compute: serve it with the palate that made it, or train a new release"
        )
    if manifest.features and layout_hash(manifest.features) != manifest.layout:
        raise CorruptRelease(
            f"{folder / 'manifest.json'} was trained on features of another meaning (layout"
            f" {manifest.layout}): train a new release with `palate train`"
        )
