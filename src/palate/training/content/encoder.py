"""Learns where words point: TF-IDF over the catalogue, and its truncated SVD."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from palate.arrays import Floats
from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.columns import ItemColumns
from palate.catalog.content import fields
from palate.catalog.encoder import CONTENT_DIM
from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog, read_catalog
from palate.models.codes import codes_of
from palate.models.content import (
    ContentFacts,
    ContentModel,
    Directions,
    TermEncoder,
    Terms,
    given,
    said,
    upright,
)
from palate.models.sentences import MiniLm, Sentences, TextCache
from palate.stores import Stores
from palate.training.content.alike import alike_of
from palate.training.content.codes import fit_codebooks
from palate.training.content.words import weighed
from palate.training.dataset import current_columns

LEAST_SEEN = 2
"""A word that a single item has places nothing else."""
MOST_TERMS, MOST_ITEMS = 50_000, 50_000
"""The commonest words, and so many items of a larger catalogue, are learnt from."""
FEWEST_ITEMS, FEWEST_TERMS = 20, 2
FLAT = 0.5
"""Strengths are raised to 1 - so much: 0 leaves the SVD as it is, 1 makes all directions equal."""
PASSES = 4
FAINT = 1e-4
"""Directions weaker than this share of the strongest are noise."""
SENTENCES = "sentences.db"
"""In the site's folder: what the language model said of texts; may be deleted."""


def encoder_of(stores: Stores) -> TermEncoder | None:
    """How a release of this site is to understand items; None where their words are hashed."""
    seed, chosen = stores.settings.training.seed, stores.settings.content.encoder
    if chosen == "hashed":
        return None
    if chosen == "tfidf":
        return learn_encoder(stores.items, seed)
    cache = TextCache(stores.settings.path(SENTENCES))
    return learn_encoder(stores.items, seed, MiniLm.open(cache))


def learn_encoder(
    items: ItemCatalog, seed: int, sentences: Sentences | None = None
) -> TermEncoder | None:
    """Fit to the words of the catalogue; None where there are too few to compare."""
    told = _sample(items, seed)
    terms = _terms(told)
    if len(told) < FEWEST_ITEMS or len(terms.names) < FEWEST_TERMS:
        return None
    mean = _mean(told)
    read = sentences.embed(told) if sentences else np.zeros((len(told), 0), np.float32)
    read_mean = np.asarray(read.mean(axis=0), np.float32)
    beside = np.hstack([given(told, mean), said(read, read_mean)])
    matrix = sparse.hstack([weighed(told, terms), sparse.csr_matrix(beside)], "csr")
    words, ours, theirs = np.split(
        _directions(matrix, seed), [len(terms.names), len(terms.names) + len(mean)]
    )
    table = Directions(terms.idf, words, ours, mean, theirs, read_mean)
    return TermEncoder(terms.names, table, sentences)


def coded(columns: ItemColumns, seed: int) -> Floats:
    """Give `columns` the codes of their content, and return the centres that tell them."""
    vectors = columns.content_vectors
    books = fit_codebooks(vectors, seed)
    columns.codes = np.pad(codes_of(vectors, books), ((0, 1), (0, 0)), constant_values=-1)
    return books


def model_of(name: str, encoder: TermEncoder, columns: ItemColumns, books: Floats) -> ContentModel:
    """What goes into the release: the encoder, and what it and the centres made for `columns`."""
    facts = ContentFacts(encoder=name, version=columns.version, terms=encoder.terms.names)
    codes = codes_of(columns.content_vectors, books)
    held = columns.content[: columns.size]
    return ContentModel(facts, encoder, (held, codes), books, columns.alike)


def _sample(items: ItemCatalog, seed: int) -> list[Item]:
    told = [change.item for part in read_catalog(items) for change in part if change.item]
    if len(told) <= MOST_ITEMS:
        return told
    dice = np.random.Generator(np.random.PCG64(seed))
    return [told[at] for at in np.sort(dice.permutation(len(told))[:MOST_ITEMS]).tolist()]


def _terms(items: Sequence[Item]) -> Terms:
    seen = Counter[str]()
    for item in items:
        seen.update({word for _, words in fields(item) for word in words})
    common = [(word, n) for word, n in seen.most_common(MOST_TERMS) if n >= LEAST_SEEN]
    having = np.array([n for _, n in common], np.float32)
    idf = np.log((1 + len(items)) / (1 + having)) + 1
    return Terms([word for word, _ in common], idf.astype(np.float32))


def _mean(items: Sequence[Item]) -> Floats:
    told = [item.embedding for item in items if item.embedding]
    if not told:
        return np.zeros(0, np.float32)
    widths = Counter(map(len, told)).most_common(1)[0][0]
    numbers = np.array([each for each in told if len(each) == widths], np.float64)
    return np.asarray(upright(numbers).mean(axis=0), np.float32)


def _directions(matrix: sparse.csr_matrix, seed: int) -> Floats:
    """(inputs, 64), turned at random so that no item that says anything has zeros in its vector."""
    wide = min(CONTENT_DIM, *matrix.shape)
    _, strength, inputs = randomized_svd(matrix, wide, n_iter=PASSES, random_state=seed)
    sound = strength > FAINT * strength[0]
    scale = np.where(sound, np.maximum(strength, 1e-12) ** -FLAT, 0.0)
    dice = np.random.Generator(np.random.PCG64(seed))
    turn, _ = np.linalg.qr(dice.standard_normal((CONTENT_DIM, CONTENT_DIM)))
    return np.asarray((inputs.T * scale) @ turn[:wide], np.float32)


def alike_today(stores: Stores) -> Alike:
    """What the next release would find in a site's catalogue as it is now."""
    encoder = encoder_of(stores)
    if encoder is None:
        return UNKNOWN
    vectors = current_columns(stores, encoder).content_vectors
    return alike_of(stores.items, encoder, vectors, stores.settings.training.seed)
