import os
import socket
import subprocess
import sys
from pathlib import Path
from platform import libc_ver

import pytest
from typer.testing import CliRunner

from palate.cli import serve, up
from palate.errors import BadInput
from palate.serving.environment import over, serving_environment, training_environment
from palate.serving.launch import API_ONLY, check_port
from palate.settings import ServingSettings


def test_a_port_that_is_taken_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1:{port}: address already in use") as caught:
            check_port("127.0.0.1", port)
    assert "\n" not in caught.value.detail
    check_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [-5, 99_999])
def test_a_port_that_there_is_not_is_refused(port: int) -> None:
    with pytest.raises(BadInput, match="choose another with --port"):
        check_port("127.0.0.1", port)


@pytest.mark.parametrize("command", [serve.app, up.app])
def test_a_folder_that_is_no_site_is_refused(command: object, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--site", str(tmp_path)])
    assert isinstance(result.exception, BadInput)
    assert "palate init" in result.exception.detail
    assert result.exception.exit_code == 2


@pytest.mark.parametrize("command", [serve.app, up.app])
def test_the_world_is_refused_without_a_key(command: object, tmp_path: Path) -> None:
    (tmp_path / "palate.toml").touch()
    result = CliRunner().invoke(command, ["--site", str(tmp_path), "--host", "0.0.0.0"])  # noqa: S104
    assert isinstance(result.exception, BadInput)
    assert "without an API key" in result.exception.detail


@pytest.mark.parametrize("command", [serve.app, up.app])
def test_help_has_an_example(command: object) -> None:
    assert "Example" in CliRunner().invoke(command, ["--help"]).output


@pytest.mark.parametrize("command", [serve.app, up.app])
def test_no_workers_at_all_is_a_usage_error(command: object, tmp_path: Path) -> None:
    (tmp_path / "palate.toml").touch()
    result = CliRunner().invoke(command, ["--site", str(tmp_path), "--workers", "0"])
    assert result.exit_code == 2
    assert "workers" in result.output


@pytest.mark.parametrize("command", ["serve", "up"])
def test_the_server_leaves_metrics_to_its_workers(command: str) -> None:
    """Prometheus' client looks for the shared folder once, when it is imported."""
    check = f"import palate.cli.{command}, sys; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", check), check=False).returncode == 0


def test_a_site_with_keys_is_told_that_its_storefront_is_off() -> None:
    open_, closed = ServingSettings(), ServingSettings(api_keys=("k",))
    assert serve.front(open_, api_only=False) == (serve.CONSOLE, "")
    assert "the storefront is off" in serve.front(closed, api_only=False)[1]
    assert serve.front(closed, api_only=True) == (API_ONLY, "")


def test_what_the_operator_set_stays() -> None:
    wanted = serving_environment()
    assert over({}, wanted)["OMP_NUM_THREADS"] == "1"
    assert over({"OMP_NUM_THREADS": "4"}, wanted)["OMP_NUM_THREADS"] == "4"
    assert training_environment(3)["OMP_NUM_THREADS"] == "3"
    assert "hugetlb" in training_environment(3)["GLIBC_TUNABLES"]


HEAPS = """
import ctypes, sys, threading
from palate.serving.launch import few_heaps
few_heaps()
together = threading.Barrier(6)
def take():
    held = [bytearray(4_096) for _ in range(100)]
    together.wait(30)
threads = [threading.Thread(target=take) for _ in range(6)]
[each.start() for each in threads], [each.join() for each in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file), libc.fclose(file)
"""


@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="malloc_info is glibc's")
@pytest.mark.parametrize(("asked", "heaps"), [({}, 2), ({"MALLOC_ARENA_MAX": "4"}, 4)])
def test_threads_of_a_worker_share_two_heaps(asked: dict[str, str], heaps: int) -> None:
    command, own = (sys.executable, "-c", HEAPS), {**os.environ, **asked}
    told = subprocess.run(command, check=True, env=own, capture_output=True, text=True).stdout
    assert told.count("<heap nr=") == heaps
