"""The application under Uvicorn (under Granian it runs in tests/e2e/test_up.py)."""

import socket
import threading
from pathlib import Path

import httpx
import uvicorn

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
