"""What a job says of what it made: the installed model that it was made of, whatever it was called in the order."""

from pathlib import Path

import pytest

from appliance.backends.made_model import MadeModel, MadeModels, with_origin
from appliance.core.quantized import Comparison
from models.embedded import EMBEDDED_PATH
from models.store.store import ModelStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes() + b"more")
    for _ in ModelStore(tmp_path).add(path, "tiny", False, 1.0):
        pass
    return path


def test_the_source_is_known_by_its_name_and_by_its_path(tmp_path: Path, file: Path) -> None:
    digest = ModelStore(tmp_path).list()[1].digest
    link = tmp_path / "link.gguf"
    link.symlink_to(file)
    for model in ("tiny", str(file), str(link)):
        assert with_origin(MadeModel(folder="f", name="n"), model, tmp_path) == MadeModel(
            folder="f", name="n", made_of=digest
        )


def test_each_of_several_is_made_of_it(tmp_path: Path, file: Path) -> None:
    comparison = Comparison(model="tiny", rows=(), recommended=None, reason="", num_threads=1)
    several = MadeModels(made=(MadeModel(folder="a", name="a"), MadeModel(folder="b", name="b")), comparison=comparison)
    made = with_origin(several, "tiny", tmp_path)
    assert isinstance(made, MadeModels)
    assert {each.made_of for each in made.made} == {ModelStore(tmp_path).list()[1].digest}


def test_what_is_made_of_other_files_is_made_of_nothing_that_is_here(tmp_path: Path, file: Path) -> None:
    stranger = tmp_path / "stranger.gguf"
    stranger.write_bytes(b"")
    for model in (str(stranger), str(tmp_path / "nothing"), "nobody"):
        made = with_origin(MadeModel(folder="f", name="n"), model, tmp_path)
        assert isinstance(made, MadeModel)
        assert made.made_of is None
