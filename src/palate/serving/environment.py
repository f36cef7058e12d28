"""What must be set before Python starts: one thread a process, the right BLAS, a calm malloc.

Measured (DESIGN §6): two OpenMP threads on shared cores are 10 to 40 times slower than one; FAISS'
own OpenBLAS is three times slower when it does not know an AVX-512 machine; training spends its
time in page faults unless malloc keeps what it freed.
"""

from collections.abc import Mapping
from pathlib import Path

SITE = "PALATE_SITE"
"""The site's folder, for worker processes."""
SERVER = "PALATE_SERVER"
"""The process that started the workers, for the workers."""
READY = "PALATE_READY"
"""The folder where workers say that they are warm."""
DIED = "PALATE_DIED"
"""The signal that ended the process of this role before this one, if one did."""
PROMETHEUS = "PROMETHEUS_MULTIPROC_DIR"
TRAINING_MALLOC = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296"
    ":glibc.malloc.trim_threshold=17179869184"
)
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def serving_environment() -> dict[str, str]:
    """For processes that answer or fold: one thread each."""
    return dict.fromkeys(ONE_THREAD, "1") | _blas()


def training_environment(threads: int) -> dict[str, str]:
    """For the trainer: its own number of threads, and a malloc that keeps what it freed."""
    return dict.fromkeys(ONE_THREAD, str(threads)) | _blas() | {"GLIBC_TUNABLES": TRAINING_MALLOC}


def over(environment: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """`wanted` under `environment`: what the operator set stays."""
    return {**wanted, **environment}


def _blas() -> dict[str, str]:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return {}
    return {"OPENBLAS_CORETYPE": "SkylakeX"} if " avx512f " in flags else {}
