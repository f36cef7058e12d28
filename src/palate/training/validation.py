"""How well what comes next is foreseen, by towers and by what only counts, on held-out events.

The question is the same for everybody: a user at a step, with all they did until then. Relevant is
what they take next, and where a page is to hold what people take over the coming weeks, everything
of the next `horizon` engagements.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palate.arrays import Doubles, Floats, Keys, Rows
from palate.features.record import HISTORY, engaged_rows
from palate.index.exact import best
from palate.models.covisit_history import Acts, counted
from palate.settings import CovisitSettings
from palate.training.ranking.lists import DEPTH, GAINS, IDEAL
from palate.training.sequences import Sequences, Steps, Window, batch_of
from palate.training.softmax import NEVER
from palate.training.towers import ItemTower, Users, encode

MOST = 3_000
"""Steps that are asked; so many tell 1 % apart."""
TOGETHER = 32
"""Windows asked at once."""
NEWEST = 2_000_000
"""Events that co-visitation counts at most, to be compared with."""


Half: TypeAlias = slice
ALL, CHOOSING, JUDGING = slice(None), slice(0, None, 2), slice(1, None, 2)
"""Which of the users are asked: all, those who choose a tower, those who judge the chosen one."""


class Late(NamedTuple):
    """Windows that end with events held out, of which alone the steps are wanted."""

    steps: Steps
    relevant: tuple[Rows, ...]
    """By wanted step: what is to be found."""
    places: NDArray[np.int64]
    """By wanted step: which event of the sequences it foresees."""
    past: tuple[Rows, ...]
    """By wanted step: all that the user had by then, the window's and what came before it."""


def held_out(
    sequences: Sequences,
    history: int,
    since: int,
    until: int,
    horizon: int = 1,
    whose: Half = ALL,
) -> list[Late]:
    """Questions about each user's events at log positions in ``[since, until)``.

    At most `history` of a user, and about `MOST` in all: of larger logs every n-th user. Of all
    users or of every second one, so that what chooses is not what judges.
    """
    before, earlier = sequences.below(until), sequences.below(since)
    asked = np.flatnonzero((before > earlier) & (before > 1))[whose]
    many = int(np.minimum(before - earlier, history)[asked].sum())
    windows = []
    for user in asked[:: max(1, many // MOST)].tolist():
        last = int(sequences.starts[user] + before[user] - 1)
        windows.append(Window(max(int(sequences.starts[user]), last - history), last))
    aims = sequences.next_ones(since, until)
    able = np.flatnonzero(aims >= 0)
    ends = np.searchsorted(able, np.repeat(sequences.starts[1:], np.diff(sequences.starts)))
    made = []
    for at in range(0, len(windows), TOGETHER):
        part = windows[at : at + TOGETHER]
        steps = batch_of(sequences, part, aims)
        row, step = np.nonzero(steps.wanted)
        places = aims[np.array([w.start for w in part])[row] + step + 1]
        firsts = np.searchsorted(able, places)
        lasts = np.minimum(firsts + horizon, ends[places])
        cuts = zip(firsts.tolist(), lasts.tolist(), strict=True)
        relevant = tuple(sequences.items[able[first:last]] for first, last in cuts)
        begun = sequences.starts[np.searchsorted(sequences.starts, places, side="right") - 1]
        lives = zip(begun.tolist(), places.tolist(), strict=True)
        past = tuple(sequences.items[first:last] for first, last in lives)
        made.append(Late(steps, relevant, places, past))
    return made


def tower_marks(items: ItemTower, users: Users, asked: Sequence[Late]) -> Doubles:
    """NDCG@10 at every wanted step, among what the user never had, as rivals and serving do."""
    items.eval()
    users.eval()
    marks = []
    with torch.inference_mode():
        table = items()
        for late in asked:
            hidden = encode(users, table, late.steps)[torch.from_numpy(late.steps.wanted)]
            found = unseen(hidden @ table.T, late.past).topk(min(DEPTH, len(table))).indices
            both = zip(found.numpy(), late.relevant, strict=True)
            marks += [ndcg(rows, relevant) for rows, relevant in both]
    items.train()
    users.train()
    return np.array(marks)


def unseen(logits: Tensor, past: Sequence[Rows]) -> Tensor:
    """Logits (n, rows) where each step's past is out, however long ago it was; in place."""
    scores = logits.numpy()
    for own, rows in zip(scores, past, strict=True):
        own[rows] = NEVER
    return logits


def counted_marks(
    sequences: Sequences,
    counts: NDArray[np.int64],
    since: int,
    settings: CovisitSettings,
    asked: Sequence[Late],
) -> dict[str, Doubles]:
    """The same of popularity and of co-visitation, both of which know the events before `since`."""
    popular = counts.astype(np.float32)
    marks: dict[str, list[float]] = {"popularity": [], "covisit": []}
    known = np.flatnonzero(sequences.positions < since)
    users = np.repeat(np.arange(len(sequences)), np.diff(sequences.starts))
    known = known[np.argsort(sequences.positions[known])][-NEWEST:]
    acts = Acts(users, sequences.items, sequences.times, sequences.signals)
    model = counted(acts.take(known), settings)
    for late in asked:
        for place, past, relevant in zip(late.places, late.past, late.relevant, strict=True):
            own = acts.take(np.arange(place - len(past), place))
            newest = own.take(np.argsort(own.times, kind="stable")[-HISTORY:])
            taken = engaged_rows(newest.items, newest.signals, HISTORY)
            told = model.everything(taken, len(counts)).astype(np.float32)
            marks["popularity"].append(_mark(popular.copy(), past, relevant))
            marks["covisit"].append(_mark(told, past, relevant))
    return {name: np.array(each) for name, each in marks.items()}


def _mark(scores: Floats, past: Rows, relevant: Rows) -> float:
    scores[past] = NEVER
    return ndcg(best(np.arange(len(scores), dtype=np.int32), scores, DEPTH)[0], relevant)


def ndcg(found: NDArray[np.integer], relevant: Rows) -> float:
    """NDCG@10 of a list, best first."""
    hits = np.isin(found[:DEPTH], relevant)
    return float(GAINS[: len(hits)][hits].sum() / IDEAL[min(len(relevant), DEPTH)])


def askers(sequences: Sequences, asked: Sequence[Late]) -> Keys:
    """(marks,): which user each mark is of."""
    places = np.concatenate([late.places for late in asked]) if asked else np.empty(0, np.int64)
    return (np.searchsorted(sequences.starts, places, side="right") - 1).astype(np.uint64)


def mean(marks: Doubles) -> float:
    """Mean over steps; 0 where there is none."""
    return float(marks.mean()) if len(marks) else 0.0
