"""What a record of the user state takes of `[stores] online_gigabytes`: pages, not bytes, are held.

    python bench/online.py [--json]

Records of items are written in the order of their rows and then once more in any order, as events
do; users' in the order of their keys' hashes. The bytes are all that the file ever took.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from palate.features.online.lmdb import GIGABYTE, LmdbStore
from palate.features.online.protocol import StateChange

ITEMS, USERS, BATCH = 60_000, 20_000, 2_000
ITEM, USER = 364, (800, 2_000, 4_616)
"""Bytes of a record: an item's counters; a user's, from some events to as many as are kept."""


def main(arguments: Sequence[str]) -> None:
    """Print bytes a record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    wanted, dice = parser.parse_args(arguments), np.random.Generator(np.random.PCG64(0))
    rows, keys = np.arange(ITEMS), dice.integers(1, 2**63, USERS)
    told = {f"item, {ITEM} bytes": taken("items", np.concatenate([rows, dice.permutation(rows)]))}
    told |= {f"user, {size:,} bytes": taken("users", keys, size) for size in USER}
    lines = [f"{name:>20}: {held:,} bytes" for name, held in told.items()]
    print(msgspec.json.encode(told).decode() if wanted.json else "\n".join(lines))


def taken(table: str, keys: "np.typing.NDArray[np.int64]", size: int = ITEM) -> int:
    """Bytes of the file for each of these records."""
    with tempfile.TemporaryDirectory() as folder:
        store = LmdbStore(Path(folder), write=True, gigabytes=1.0)
        for at in range(0, len(keys), BATCH):
            some = {key: bytes(size) for key in keys[at : at + BATCH].tolist()}
            items, users = (some, {}) if table == "items" else ({}, some)
            store.commit(StateChange(at, users=users, items=items))
        held = store.filled() * GIGABYTE
        store.close()
    return round(held / len(np.unique(keys)))


if __name__ == "__main__":
    main(sys.argv[1:])
