"""The application under Uvicorn, and the connections that Granian takes (tests/e2e has more)."""

import os
import socket
import threading
from pathlib import Path

import httpx
import uvicorn
from load.server import serving

from palate.serving.app import create
from palate.settings import Settings


def test_the_application_runs_under_uvicorn(tmp_path: Path) -> None:
    (tmp_path / "palate.toml").touch()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(create(Settings(home=tmp_path)), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with httpx.Client(base_url=address, timeout=30) as client:
                assert client.get("/readyz").json()["ready"] is True
                assert client.put("/v1/items/i1", json={"title": "One"}).is_success
                assert client.get("/v1/recommendations/home").json()["items"] == []
                assert client.put("/v1/items/a%2F/b", json={"title": "Two"}).is_success
                assert client.get("/v1/items/a/%2Fb").json()["item_id"] == "a//b"
        finally:
            server.should_exit = True
            thread.join()


def test_a_worker_takes_so_many_connections_and_the_next_waits(tmp_path: Path) -> None:
    (tmp_path / "palate.toml").write_text("[serving]\nmost_connections = 2\n", "utf-8")
    with serving(tmp_path, os.sched_getaffinity(0), workers=1) as server:
        held = [asked(server.port) for _ in range(3)]
        assert [answered(each, 20.0) for each in held[:2]] == [True, True]
        assert not answered(held[2], 1.0)
        held[0].close()
        assert answered(held[2], 20.0)
        for each in held[1:]:
            each.close()


def asked(port: int) -> socket.socket:
    """A connection that stays, with a request sent."""
    made = socket.create_connection(("127.0.0.1", port))
    made.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    return made


def answered(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    except TimeoutError:
        return False
