"""The library is opened through one door, which says first how its threads wait for each other."""

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "appliance/backends/llama_cpp"
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if " native." in path.read_text())

# Tells what the environment says at the moment when somebody looks for the library, and gives them none.
PROGRAM = """
import importlib, os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "llama_cpp":
            print(os.environ.get("GOMP_SPINCOUNT"))
            sys.exit()
sys.meta_path.insert(0, Watch())
importlib.import_module("appliance.backends.llama_cpp." + sys.argv[1])
"""


@pytest.mark.parametrize("module", MODULES)
def test_threads_know_how_to_wait_before_the_library_is_loaded(module: str) -> None:
    command = [sys.executable, "-c", PROGRAM, module]
    told = subprocess.run(command, cwd=PACKAGE.parents[2], env={}, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "2000"


def test_an_operator_may_say_it_differently() -> None:
    command = [sys.executable, "-c", PROGRAM, "adapter"]
    environ = {"GOMP_SPINCOUNT": "7"}
    told = subprocess.run(command, cwd=PACKAGE.parents[2], env=environ, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "7"
