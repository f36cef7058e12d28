"""The ranker's network on Frappe's raw fields, beside logistic regression and LightGBM.

    python bench/frappe.py [--seeds 3] [--write] [--json]

Frappe_x1: who opened which app in which of eight contexts; ten fields of categories. The official
validation and test files; of the official training file the positives, with negatives drawn anew.
The cross layers and the perceptron are the class that serves (`training.ranking.network.Body`),
which here reads an embedding of each field where it reads features in life. Nothing is chosen on
the test: epochs by the AUC of the validation file, the sizes below by hand on it.
"""

import argparse
import copy
import gzip
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import torch
from compared.tables import marked
from load.ran import ran
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from palate.cli.output import facts, table_of
from palate.training.ranking.network import SHARED, Body

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "quality.md"
FILES = ("train_reconstructed", "nfm_frappe.validation", "nfm_frappe.test")
FIELDS = 10
DIM = 16
"""Numbers that a category is embedded in."""
WIDE = 256
DROPOUT = 0.2
BATCH, RATE, EPOCHS, PATIENCE = 1_024, 5e-3, 24, 2
DECAY = 5e-4
"""Pull of the embeddings towards 0: without it an early epoch knows the rows by heart."""
AVERAGING = 0.99
DRAWS = 200
"""Bootstrap samples of the test rows."""
CATEGORIES = 5_400


class Part(NamedTuple):
    """One file."""

    fields: NDArray[np.int64]
    """(rows, 10): a category each, no two fields share one."""
    opened: NDArray[np.float32]


class Answer(NamedTuple):
    """Probabilities of the test rows."""

    told: NDArray[np.float64]
    cpu_seconds: float
    note: str


Model = Callable[[Sequence[Part], int], Answer]


class OfFields(nn.Module):
    """The ranker's body over embedded fields, and a straight path beside it, as the ranker has."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CATEGORIES, DIM)
        self.straight = nn.Embedding(CATEGORIES, 1)
        self.body = Body(FIELDS * DIM, WIDE, DROPOUT)
        self.head = nn.Linear(SHARED, 1)
        nn.init.normal_(self.embedding.weight, std=0.05)
        nn.init.zeros_(self.straight.weight)

    def forward(self, fields: Tensor) -> Tensor:
        """(n, 10) -> (n,) logits."""
        body = self.head(self.body(self.embedding(fields).flatten(1))).squeeze(-1)
        logits: Tensor = body + self.straight(fields).sum((1, 2))
        return logits


def network(parts: Sequence[Part], seed: int) -> Answer:
    """Train until validation gets no better; the average of the weights is what answers."""
    torch.manual_seed(seed)
    started, model = process_time(), OfFields()
    average, best = copy.deepcopy(model).eval(), copy.deepcopy(model)
    groups: list[dict[str, Any]] = [
        {"params": [model.embedding.weight, model.straight.weight], "weight_decay": DECAY},
        {"params": [*model.body.parameters(), *model.head.parameters()]},
    ]
    optimizer = torch.optim.Adam(groups, RATE)
    most, since, epochs = 0.0, 0, 0
    for epoch in range(EPOCHS):
        for fields, opened in _batches(parts[0]):
            optimizer.zero_grad()
            loss = functional.binary_cross_entropy_with_logits(model(fields), opened)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            _follow(average, model)
        auc = roc_auc_score(parts[1].opened, _told(average, parts[1]))
        print(f"seed {seed} epoch {epoch} validation AUC {auc:.5f}", file=sys.stderr, flush=True)
        most, since = (auc, 0) if auc > most else (most, since + 1)
        if not since:
            best, epochs = copy.deepcopy(average), epoch + 1
        if since == PATIENCE:
            break
    size = sum(each.numel() for each in model.parameters())
    told = _told(best, parts[2])
    return Answer(told, process_time() - started, f"{size:,} weights, {epochs} epochs")


def _batches(part: Part) -> Iterator[tuple[Tensor, Tensor]]:
    fields, opened = torch.from_numpy(part.fields), torch.from_numpy(part.opened)
    for which in torch.split(torch.randperm(len(opened)), BATCH):
        yield fields[which], opened[which]


def _follow(average: nn.Module, model: nn.Module) -> None:
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(weight, 1.0 - AVERAGING)


def _told(model: nn.Module, part: Part) -> NDArray[np.float64]:
    with torch.inference_mode():
        logits = [model(each) for each in torch.split(torch.from_numpy(part.fields), 8 * BATCH)]
        return np.asarray(torch.sigmoid(torch.cat(logits)).numpy(), np.float64)


def logistic(parts: Sequence[Part], seed: int) -> Answer:
    """A weight for each category; the pull by validation."""
    started = process_time()
    train, valid, test = (_one_hot(part) for part in parts)
    tried = []
    for ease in (0.3, 1.0, 3.0, 10.0):
        model = LogisticRegression(C=ease, max_iter=300, random_state=seed)
        model.fit(train, parts[0].opened)
        auc = roc_auc_score(parts[1].opened, model.predict_proba(valid)[:, 1])
        tried.append((auc, ease, model.predict_proba(test)[:, 1]))
    _, ease, told = max(tried, key=lambda each: each[0])
    return Answer(told, process_time() - started, f"C = {ease}")


def _one_hot(part: Part) -> sparse.csr_matrix:
    ends = np.arange(0, part.fields.size + 1, FIELDS)
    ones = np.ones(part.fields.size, np.float32)
    return sparse.csr_matrix((ones, part.fields.ravel(), ends), (len(part.fields), CATEGORIES))


def trees(parts: Sequence[Part], seed: int) -> Answer:
    """LightGBM with categories of its own; as many trees as validation wants."""
    started = process_time()
    options = {
        "objective": "binary", "metric": "auc", "learning_rate": 0.1, "num_leaves": 63,
        "min_data_per_group": 10, "cat_smooth": 5.0, "max_cat_threshold": 256,
        "num_threads": 1, "seed": seed, "verbosity": -1,
    }  # fmt: skip
    train, valid = (
        lightgbm.Dataset(part.fields, part.opened, categorical_feature=list(range(FIELDS)))
        for part in parts[:2]
    )
    stop = lightgbm.early_stopping(30, verbose=False)
    model = lightgbm.train(options, train, 400, valid_sets=[valid], callbacks=[stop])
    told = np.asarray(model.predict(parts[2].fields), np.float64)
    return Answer(told, process_time() - started, f"{model.best_iteration} trees")


MODELS: dict[str, Model] = {
    "logistic regression": logistic,
    "LightGBM": trees,
    "the ranker's network": network,
}


def main(arguments: Sequence[str]) -> None:
    """Run every model with every seed, print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=sorted(MODELS), action="append", help="may repeat")
    parser.add_argument("--write", action="store_true", help="put the table into docs/quality.md")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    torch.set_num_threads(1)
    parts = read(Path(os.environ.get("PALATE_DATA") or ROOT.parent / "shared" / "data"))
    rows = [
        row(name, [_answered(name, parts, seed) for seed in range(1, wanted.seeds + 1)], parts[2])
        for name in wanted.only or MODELS
    ]
    if wanted.write:
        PAGE.write_text(marked("frappe", _markdown(rows), PAGE.read_text("utf-8")), "utf-8")
    told = {**ran("frappe", arguments), "models": rows}
    facts(
        told,
        as_json=wanted.json,
        table=table_of(
            told["command"], tuple(rows[0]), [tuple(map(str, each.values())) for each in rows]
        ),
    )


def _answered(name: str, parts: Sequence[Part], seed: int) -> Answer:
    answer = MODELS[name](parts, seed)
    auc, loss = (score(parts[2].opened, answer.told) for score in (roc_auc_score, log_loss))
    told = f"{name}, seed {seed}: AUC {auc:.4f}, logloss {loss:.4f}, {answer.cpu_seconds:.0f} s"
    print(told, file=sys.stderr, flush=True)
    return answer


def read(data: Path) -> list[Part]:
    """Training, validation and test rows; exit with a sentence where the files are not there."""
    parts = []
    for name in FILES:
        file = data / "frappe" / f"{name}.libfm.gz"
        if not file.is_file():
            sys.exit(f"There is no {file}: name the folder of the data sets with PALATE_DATA.")
        with gzip.open(file, "rt") as lines:
            told = [line.replace(":1", "").split() for line in lines]
        whole = np.array(told, np.int64)
        parts.append(Part(whole[:, 1:].copy(), (whole[:, 0] > 0).astype(np.float32)))
    return parts


def row(name: str, answers: Sequence[Answer], test: Part) -> dict[str, Any]:
    """Means over seeds, how far seeds differ, and half of the bootstrap interval of the first."""
    aucs = [float(roc_auc_score(test.opened, each.told)) for each in answers]
    losses = [float(log_loss(test.opened, each.told)) for each in answers]
    wide_auc, wide_loss = _interval(answers[0].told, test.opened)
    return {
        "model": name,
        "AUC": round(float(np.mean(aucs)), 4),
        "AUC ±": round(wide_auc, 4),
        "AUC by seed": " ".join(f"{auc:.4f}" for auc in aucs),
        "logloss": round(float(np.mean(losses)), 4),
        "logloss ±": round(wide_loss, 4),
        "logloss by seed": " ".join(f"{loss:.4f}" for loss in losses),
        "CPU s": round(float(np.mean([each.cpu_seconds for each in answers])), 1),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "note": answers[0].note,
    }


def _interval(told: NDArray[np.float64], opened: NDArray[np.float32]) -> tuple[float, float]:
    dice = np.random.Generator(np.random.PCG64(1))
    found = []
    for _ in range(DRAWS):
        at = dice.integers(0, len(told), len(told))
        found.append((roc_auc_score(opened[at], told[at]), log_loss(opened[at], told[at])))
    low, high = np.percentile(np.array(found), [2.5, 97.5], axis=0)
    auc, loss = ((high - low) / 2).tolist()
    return auc, loss


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| model | AUC | logloss | CPU a seed | |", "|---|---|---|---|---|"]
    lines += [
        f"| {each['model']} | {each['AUC']:.4f} ± {each['AUC ±']:.4f} ({each['AUC by seed']})"
        f" | {each['logloss']:.4f} ± {each['logloss ±']:.4f} ({each['logloss by seed']})"
        f" | {each['CPU s']:.0f} s | {each['note']} |"
        for each in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
