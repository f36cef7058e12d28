"""Watching a site from the shell."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from rich.console import Console
from tests.cli.running import palate, within

from palate.cli.listening import address, found_address, leave_address, take_address
from palate.cli.top import _screen, screens
from palate.serving.observing.summary import summary
from palate.settings import ServingSettings, Settings


def test_a_site_that_does_not_run_is_one_line() -> None:
    told = palate("top", "--url", "http://127.0.0.1:1", "--once")
    assert told.returncode == 1
    assert told.stderr.startswith("palate: http://127.0.0.1:1/metrics does not answer")
    assert "palate serve" in told.stderr


class Answers(BaseHTTPRequestHandler):
    """A server with one metric."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"palate_quality 0.5\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_it_keeps_looking_while_a_server_restarts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    looks, console = screens(f"http://127.0.0.1:{port}"), Console(width=120, record=True)

    def look() -> str:
        console.print(next(looks))
        return console.export_text()

    assert "not answering" in look()
    with HTTPServer(("127.0.0.1", port), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert "answers" in look()
        assert "0.5" in look()
        server.shutdown()
    assert "not answering" in look()
    assert "not answering" in look()


def test_an_address_of_six_has_brackets() -> None:
    assert address(ServingSettings(host="::1", port=8700)) == "http://[::1]:8700"
    assert address(ServingSettings(host="localhost", port=80)) == "http://localhost:80"


def test_a_server_is_found_where_it_listens_and_not_where_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert found_address(settings) == "http://127.0.0.1:8700"
    leave_address(settings, "http://127.0.0.1:8742")
    assert found_address(settings) == "http://127.0.0.1:8742"
    take_address(settings)
    assert found_address(settings) == "http://127.0.0.1:8700"


def test_a_site_that_nobody_asks_says_so() -> None:
    console = Console(width=120, record=True)
    console.print(_screen("here", summary({}, {}, 1.0)))
    told = console.export_text()
    assert "here: answers by rung: nothing yet" in told
    assert "stages" not in told


def test_books_without_a_request_say_so(tmp_path: Path) -> None:
    (tmp_path / "palate.toml").touch()
    told = within("ledger", "--live", "--site", str(tmp_path))
    assert (told.returncode, told.stdout) == (
        0,
        "home, 7 days: nothing yet, no sampled request is old enough\n",
    )
