"""Where other programs keep their models, by their own variables and by custom."""

from pathlib import Path

from models.importers.places import TITLES, usual_places

HOME = Path("/home/ann")


def test_the_usual_places_are_in_the_persons_home() -> None:
    places = usual_places({}, HOME)
    assert places.keys() == TITLES.keys()
    assert places["ollama"][0] == HOME / ".ollama" / "models"
    assert places["hugging_face"] == (HOME / ".cache" / "huggingface" / "hub",)
    assert places["llama_cpp"] == (HOME / ".cache" / "llama.cpp",)


def test_each_programs_variable_counts() -> None:
    environ = {"OLLAMA_MODELS": "/big/o", "HF_HOME": "/big/hf", "LLAMA_CACHE": "/big/l", "XDG_CACHE_HOME": "/x"}
    places = usual_places(environ, HOME)
    assert places["ollama"][0] == Path("/big/o")
    assert places["hugging_face"] == (Path("/big/hf/hub"),)
    assert places["llama_cpp"] == (Path("/big/l"),)
    assert usual_places({"HF_HUB_CACHE": "/h", "HF_HOME": "/big"}, HOME)["hugging_face"] == (Path("/h"),)
    assert usual_places({"XDG_CACHE_HOME": "/x"}, HOME)["llama_cpp"] == (Path("/x/llama.cpp"),)
