"""Watching a site from the shell."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from rich.console import Console
from tests.cli.running import palate

from palate.cli.listening import address
from palate.cli.top import screens
from palate.settings import ServingSettings


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
