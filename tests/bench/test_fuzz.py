"""The short form of `bench/fuzz.py`: seeds, what was ever found, and bytes changed by chance."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from fuzzed import parsers
from fuzzed.mangled import mangled
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

FOUND = Path(__file__).parents[1] / "fuzz"
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
FEWER = settings(FEW, max_examples=3)
"""Of files that a process of its own reads, each time a new one."""


def known(name: str) -> list[bytes]:
    return [*parsers.SEEDS[name], *(f.read_bytes() for f in sorted((FOUND / name).glob("*")))]


@pytest.mark.parametrize("name", sorted(parsers.PARSERS))
def test_a_parser_refuses_in_words_or_reads(name: str) -> None:
    seeds = known(name)

    @(FEWER if name == "parquet" else FEW)
    @given(st.sampled_from(seeds), st.integers(0, 400), st.binary(max_size=20), st.integers(0, 30))
    @example(b"", 0, b"", 0)
    @example(b"[" * 10_000, 0, b"", 0)
    def changed(raw: bytes, at: int, put: bytes, gone: int) -> None:
        parsers.tried(name, raw[:at] + put + raw[at + gone :])

    for raw in seeds:
        parsers.tried(name, raw)
    changed()


@pytest.mark.parametrize("seed", range(2))
def test_a_mangled_parquet_file_is_refused_in_words_or_read(seed: int) -> None:
    chance = Random(seed)  # noqa: S311
    [good] = parsers.SEEDS["parquet"]
    changed = {mangled(good, chance) for _ in range(2)}
    assert good not in changed
    for raw in changed:
        parsers.tried("parquet", raw)


def test_mangling_keeps_the_end_of_a_file_in_order() -> None:
    [good] = parsers.SEEDS["parquet"]
    chances = (Random(n) for n in range(200))  # noqa: S311
    whole = [raw for raw in (mangled(good, chance) for chance in chances) if len(raw) > 8]
    ends = [raw for raw in whole if raw.endswith(b"PAR1")]
    assert len(ends) > len(whole) * 0.8
    assert all(int.from_bytes(raw[-8:-4], "little") <= len(raw) - 8 for raw in ends)


def test_each_parser_reads_a_seed() -> None:
    for name, parser in parsers.PARSERS.items():
        parser(parsers.SEEDS[name][0])


def test_a_fault_of_a_parser_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: bytes) -> None:
        raise KeyError(raw)

    monkeypatch.setitem(parsers.PARSERS, "csv", broken)
    with pytest.raises(KeyError):
        parsers.tried("csv", b"")


def test_the_fuzzer_itself_runs_and_tells_what_it_did(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    bench = Path(__file__).parents[2] / "bench"
    path = os.pathsep.join([str(bench), str(bench.parent / "src"), str(bench.parent)])
    command = [sys.executable, "-m", "fuzzed.one", "cursor", "0.5", str(tmp_path)]
    done = subprocess.run(
        command, check=False, cwd=bench, env={**os.environ, "PYTHONPATH": path}, capture_output=True
    )
    assert b'"findings":[]' in (tmp_path / "told.json").read_bytes(), done.stderr[-500:]
