"""The door to numba: its arithmetic, and what a kernel kept on disk hangs on."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.jit import exp2, kernel, ln


@kernel
def _given(size: int) -> tuple[NDArray[np.int32], Floats]:
    return np.arange(size).astype(np.int32), np.ones((size, 2), np.float32)


@kernel
def _each(x: Floats, powers: Floats, logarithms: Floats) -> None:
    for i in range(len(x)):
        powers[i], logarithms[i] = exp2(x[i]), ln(np.float32(1) + abs(x[i]))


def test_powers_and_logarithms_are_right_to_the_last_digits_of_a_float32() -> None:
    x = np.concatenate([np.linspace(-126, 0, 9_999), [-1e-7, -1.0, 0.0]]).astype(np.float32)
    powers, logarithms = np.empty_like(x), np.empty_like(x)
    _each(x, powers, logarithms)
    np.testing.assert_allclose(powers, np.exp2(x.astype(np.float64)), rtol=2e-7)
    np.testing.assert_allclose(logarithms, np.log(1.0 + np.abs(x)), rtol=2e-7)
    assert (powers[-1], logarithms[-1]) == (1.0, 0.0)


def test_far_below_zero_a_power_stays_a_small_number() -> None:
    x = np.array([-1e9, -np.inf], np.float32)
    powers = np.empty_like(x)
    _each(x, powers, np.empty_like(x))
    assert (powers < 1e-37).all()
    assert (powers >= 0).all()


def test_arrays_are_given_back_without_a_call_into_python() -> None:
    _given(3)
    calls: list[str] = []
    dtype, known = np.dtype(np.float32), sys.getrefcount(np.dtype(np.float32))
    sys.setprofile(lambda frame, *_: calls.append(frame.f_code.co_name))
    rows, scores = _given(3)
    sys.setprofile(None)
    assert "_numba_unpickle" not in calls
    assert type(rows) is type(scores) is np.ndarray
    assert rows.tolist() == [0, 1, 2]
    assert (scores.dtype, scores.shape, scores.flags.writeable) == (dtype, (3, 2), True)
    del rows, scores
    assert sys.getrefcount(dtype) <= known + 1  # nothing is held for good


def stamp_with(folder: Path, constant: str) -> str:
    """What numba would compare with its files for a kernel beside such a constant."""
    file = folder / "made.py"
    source = f"from palate.jit import kernel\nHELD = {constant}\n"
    source += "def used(x):\n    return x + HELD\n"
    file.write_text("def used(x):\n    return x + HELD\n", "utf-8")
    module = ModuleType("made")
    exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  a module of the test
    return str(kernel(module.used)._cache._cache_file._source_stamp[1])  # type: ignore[attr-defined]


@pytest.mark.parametrize("other", ["2", "2.5"])
def test_a_kernel_on_disk_is_made_anew_when_a_constant_in_it_changes(
    tmp_path: Path, other: str
) -> None:
    assert stamp_with(tmp_path, "1") == stamp_with(tmp_path, "1")
    assert stamp_with(tmp_path, "1") != stamp_with(tmp_path, other)


def test_loading_a_kernel_does_not_load_linear_algebra() -> None:
    program = (
        "import sys, numpy as np\nfrom palate.index.slots import distinct\n"
        "distinct(np.array([3, 1, 3], np.int32))\n"
        "assert 'numba.np.arraymath' in sys.modules\nassert 'scipy.linalg' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
