"""The packages of npm, each by the tests beside it in `node/`, run by node's own test runner."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "node"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed here")
@pytest.mark.parametrize("package", sorted(path.name.removesuffix(".test.js") for path in FOLDER.glob("*.test.js")))
def test_a_package_of_npm(box: str, package: str) -> None:
    environment = os.environ | {"BOX": box, "AI_SDK_LOG_WARNINGS": "false"}
    command = ["node", "--test", "--test-reporter=spec", f"{package}.test.js"]
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
