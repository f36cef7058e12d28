"""Random streams of a request: numpy's own, begun with a tenth of its calls.

`numpy.random.SeedSequence` is written in Python where it counts: it turns every number into an
array, and hashes word by word. Here its hash is one compiled loop; the streams are the same.
"""

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from palate.jit import kernel

POOL = 4
"""Words that all seeds are mixed into."""
WORD = 0xFFFFFFFF
FIRST_A, FIRST_B = np.uint32(0x43B0D7E5), np.uint32(0x8B51F9DD)
TIMES_A, TIMES_B = np.uint32(0x931E8875), np.uint32(0x58F38DED)
LEFT, RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
HALF = np.uint32(16)


def dice(*seed: int) -> np.random.Generator:
    """What ``default_rng(SeedSequence(seed))`` draws. Raises ValueError for a number below 0."""
    words = [part for number in seed for part in _words(int(number))]
    begun: Any = _Begun(_state(np.array(words, np.uint32)))
    return np.random.Generator(np.random.PCG64(begun))


class _Begun(ISeedSequence):
    """A state that is known already, as a bit generator asks for it."""

    def __init__(self, state: NDArray[np.uint64]) -> None:
        self._state = state

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[np.uint64]:
        return self._state


def _words(number: int) -> list[int]:
    """The number's words of 32 bits, the lowest first; at least one."""
    if number < 0:
        raise ValueError(f"a stream cannot begin with {number}: its numbers are at least 0")
    found = [number & WORD]
    while number := number >> 32:
        found.append(number & WORD)
    return found


@kernel
def _state(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """(4,): `SeedSequence(words).generate_state(4, uint64)`, see its `mix_entropy`."""
    pool, constant = np.zeros(POOL, np.uint32), FIRST_A
    for i in range(POOL):
        pool[i] = _hashed(words[i] if i < len(words) else np.uint32(0), constant, TIMES_A)
        constant = np.uint32(constant * TIMES_A)
    for source in range(max(POOL, len(words))):
        for i in range(POOL):
            if source == i:
                continue
            word = pool[source] if source < POOL else words[source]
            mixed = np.uint32(LEFT * pool[i]) - np.uint32(RIGHT * _hashed(word, constant, TIMES_A))
            constant = np.uint32(constant * TIMES_A)
            pool[i] = np.uint32(mixed) ^ (np.uint32(mixed) >> HALF)
    found, constant = np.zeros(4, np.uint64), FIRST_B
    for i in range(8):
        word = _hashed(pool[i % POOL], constant, TIMES_B)
        constant = np.uint32(constant * TIMES_B)
        found[i // 2] |= np.uint64(word) << np.uint64(32 * (i % 2))
    return found


@kernel
def _hashed(word: np.uint32, constant: np.uint32, times: np.uint32) -> np.uint32:
    value = np.uint32(word ^ constant) * np.uint32(constant * times)
    value = np.uint32(value)
    return np.uint32(value ^ (value >> HALF))
