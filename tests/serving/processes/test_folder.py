"""The folder that workers share goes with its server, or else with the next one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from palate.serving.processes import folder
from palate.serving.processes.folder import PREFIX, shared_folder

HOLDS = """
import sys, time
from palate.serving.processes import folder
folder.MEMORY = sys.argv[1]
with folder.shared_folder() as own:
    print(own, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_server_left_is_swept_and_what_serves_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MEMORY", str(tmp_path))
    older = tmp_path / f"{PREFIX}of-an-older-version"
    older.mkdir()
    command = (sys.executable, "-c", HOLDS, str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        held = Path(other.stdout.readline().strip())
        with shared_folder() as own:
            assert held.is_dir()
            os.kill(other.pid, signal.SIGKILL)
            other.wait()
            with shared_folder():
                assert not held.exists()
                assert Path(own).is_dir()
    assert list(tmp_path.iterdir()) == [older]
