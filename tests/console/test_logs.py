"""The storefront leaves the worker's log as it was set up."""

import json
import subprocess
import sys
from pathlib import Path

from palate.serving.environment import SITE

WORKER = """
import logging
from palate.console.app import create
from palate.serving.observing.logs import ABOUT, speak
app = create()
speak("json")  # as a worker does when it opens
ABOUT.set("abc")
logging.getLogger("palate.serving").warning("heard")
"""


def test_a_worker_with_its_storefront_speaks_json_and_names_the_recommendation(
    tmp_path: Path,
) -> None:
    (tmp_path / "palate.toml").touch()
    done = subprocess.run(
        (sys.executable, "-c", WORKER),
        env={SITE: str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stderr)
    assert told["message"] == "heard"
    assert told["recommendation_id"] == "abc"
