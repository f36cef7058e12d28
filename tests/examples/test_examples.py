"""The examples run, as a reader would run them."""

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from palate.clock import FixedClock
from palate.serving.app import create
from palate.settings import Settings
from palate.stores import close
from palate.testing.tiny import NOW, tiny_site

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_embed_prints_a_page_with_reasons(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "embed.py", tmp_path / "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[:3] for line in lines] == ["1. ", "2. ", "3. "]
    assert "Alien:" not in done.stdout
    assert "Alien" in lines[0]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The tiny world over HTTP, its stream worker running; gives the address."""
    settings, stop = Settings(home=home), threading.Event()
    stores, worker = tiny_site(settings)
    app = create(settings, clock=FixedClock(NOW), stores=stores)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        threads = [
            threading.Thread(target=server.run, kwargs={"sockets": [listening]}),
            threading.Thread(target=worker.run, args=(stop,)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            stop.set()
            for thread in threads:
                thread.join()
            close(stores)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_puts_items_and_events_and_gets_pages(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        command = ["sh", EXAMPLES / "curl.sh", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    stored, accepted, home, more, page = done.stdout.splitlines()
    assert stored == '{"accepted":3,"changed":3}'
    assert accepted == '{"accepted":1,"duplicates":0}'
    assert '"surface":"home"' in home
    assert '"anchor":"alien"' in more
    assert more.count('"position":') == 2
    assert page.startswith('{"page":"home","rows":[{')
