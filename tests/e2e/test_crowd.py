"""More people at once than can be given everything: they get less, in time, and the metrics say it.

On the real server, where the queue is in the event loop and not where we can see it from inside.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from load.client import open_loop, wires
from load.server import Server, serving

MANY, OF_THEM = 4_000.0, 128
"""Asked a second, far beyond any worker, on so many connections."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "palate.toml").write_text("[serving]\nbudget_ms = 5.0\n", "utf-8")
    with serving(tmp_path, os.sched_getaffinity(0)) as running:
        yield running


def test_a_crowd_gets_less_and_the_metrics_say_so(server: Server) -> None:
    paths = [f"/v1/recommendations/home?user_id=u{n}&limit=5" for n in range(500)]

    async def crowd() -> tuple[Counter[int], Counter[str]]:
        async with wires("127.0.0.1", server.port, OF_THEM) as held:
            told = await open_loop(held, paths, MANY, 1.5)
        good = [b for s, b in zip(told.statuses, told.bodies, strict=True) if s == 200]
        return Counter(told.statuses), Counter(msgspec.json.decode(b)["step"] for b in good)

    statuses, steps = asyncio.run(crowd())
    assert statuses.keys() <= {200, 503}
    assert steps
    metrics = httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False).text
    [shed] = [line for line in metrics.splitlines() if line.startswith("palate_shed_total ")]
    assert float(shed.split()[1]) >= statuses[503]
    assert statuses[503] + sum(steps.values()) - steps["full"] > 0
