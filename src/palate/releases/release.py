"""A release in memory: everything training made, ready to serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from palate.errors import CorruptRelease
from palate.features.vector import feature_of, layout_hash, meanings
from palate.models.content import ContentModel
from palate.models.ials import Ials
from palate.models.linear import Linear
from palate.models.ranker import RankerModel
from palate.models.two_tower import TwoTower
from palate.releases.manifest import Manifest, read, verify

TOWER, RANKER, LINEAR, IALS = "two_tower", "ranker", "linear", "ials"
TOGETHER, CONTENT = "together", "content"
"""Folders inside a release; one that the gate refused is not there."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is live. A part that the gate refused is None, and the funnel does without it."""

    name: str
    manifest: Manifest
    two_tower: TwoTower | None = None
    ranker: RankerModel | None = None
    fusion: Mapping[str, float] = field(default_factory=dict)
    """Generator -> weight of its reciprocal rank; empty is one each. ``newcomer/popular``
    is that of one kind of visit."""
    admitted: Mapping[str, float] = field(default_factory=dict)
    """Generator -> what its word counts where the pool is filled; empty: sensible weights."""
    linear: Linear | None = None
    ials: Ials | None = None
    together: Linear | None = None
    """How many people took both, for visitors of whom little is known."""
    content: ContentModel | None = None
    """How items are understood; None where their words are hashed."""

    @classmethod
    def load(cls, folder: Path, *, ranked: bool = True, verified: bool = False) -> Self:
        """Verify, then load. Raises CorruptRelease with a sentence that names the file.

        Without `ranked` the ranker is left out, and with it what it would have to be fed. What was
        just `verified` is not read once more for that.
        """
        manifest = read(folder)
        if not verified:
            verify(folder, manifest)
        if ranked:
            _check_layout(folder, manifest)
        tower, ranker, linear, ials = (folder / n for n in (TOWER, RANKER, LINEAR, IALS))
        together, content = folder / TOGETHER, folder / CONTENT
        try:
            return cls(
                manifest.name,
                manifest,
                TwoTower.load(tower) if tower.is_dir() else None,
                RankerModel.load(ranker) if ranked and ranker.is_dir() else None,
                manifest.fusion,
                manifest.admitted,
                Linear.load(linear) if linear.is_dir() else None,
                Ials.load(ials) if ials.is_dir() else None,
                Linear.load(together) if together.is_dir() else None,
                ContentModel.load(content) if content.is_dir() else None,
            )
        except (OSError, ValueError, KeyError) as error:
            raise CorruptRelease(f"{folder} cannot be loaded: {error}") from error


def _check_layout(folder: Path, manifest: Manifest) -> None:
    """See that each feature is computed here, and means what it meant when the ranker learnt it."""
    file = folder / "manifest.json"
    unknown = [name for name in manifest.features if feature_of(name) is None]
    if unknown:
        raise CorruptRelease(
            f"{file} asks for the feature {unknown[0]!r}, which this build does not compute:"
            " serve it with the palate that made it, or train a new release"
        )
    today = meanings(manifest.features)
    changed = [name for name, was in manifest.definitions.items() if today.get(name) != was]
    if changed:
        raise CorruptRelease(
            f"{file} learnt from {changed[0]!r} when it meant something else"
            f" ({manifest.definitions[changed[0]]}, today {today.get(changed[0])}): serve it with"
            " the palate that made it, or train a new release. Who changes a feature leaves the old"
            " line, retired, and gives the new one a new name (docs/guide/add-a-feature.md)"
        )
    if manifest.features and layout_hash(manifest.features) != manifest.layout:
        raise CorruptRelease(
            f"{file} was trained on features of another meaning (layout"
            f" {manifest.layout}): train a new release with `palate train`"
        )
