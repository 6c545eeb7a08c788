"""`appliance serve` with models whose answers a test knows: `python daemon.py HOME [ARGUMENT...]`.

Runs in the environment of the product, started by the tests of the clients, which run in environments of their own.

echo        repeats the last message, so a test writes what the model says: text, thoughts or calls of tools
echo-again  is another of the same kind
random      writes noise, so whatever has a form in its answer was forced into it
embedder    makes vectors
"""

import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from msgspec.structs import replace  # noqa: E402  (it needs the path)

from appliance.backends.asked import Asked, MachineNow  # noqa: E402  (it needs the path)
from appliance.backends.select import select  # noqa: E402  (it needs the path)
from appliance.cli.main import entry  # noqa: E402  (it needs the path)
from appliance.core.plan import Artefact, LoadPlan  # noqa: E402  (it needs the path)
from models.store.store import ModelStore  # noqa: E402  (it needs the path)
from tests.bert import random_bert, write_bert_gguf  # noqa: E402  (it needs the path)
from tests.shapes import write_shape  # noqa: E402  (it needs the path)


def main() -> None:
    """Put the models where they are expected and become the daemon."""
    home, arguments = Path(sys.argv[1]), sys.argv[2:]
    folder = home / "files"
    folder.mkdir(parents=True)
    write_shape(folder / "echo.gguf", seed=1)
    write_shape(folder / "echo-again.gguf", seed=2)
    write_shape(folder / "random.gguf", seed=3)
    write_bert_gguf(folder / "embedder.gguf", random_bert())
    store = ModelStore(home)
    for path in folder.iterdir():
        for _ in store.add(path, None, copy=False, now_s=0.0):
            pass
    sys.argv = ["appliance", "serve", "--port", "0", *arguments]
    with patch("appliance.service.planner.select", _select):
        entry()


def _select(asked: Asked, machine: MachineNow) -> LoadPlan:
    """No file is in echo's format: a model of that name is planned by its file, and answered by the echo backend."""
    plan = select(asked, machine)
    if not asked.model.startswith("echo"):
        return plan
    artefact = Artefact(format="echo", path="echo:?emphasis=100", digest=plan.artefact.digest)
    return replace(plan, backend="echo", artefact=artefact)


if __name__ == "__main__":
    main()
