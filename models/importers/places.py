"""Where other programs keep their models: in a person's own folders, unless their variables say otherwise. Pure.

Sources: Ollama, docs/faq.mdx and docs/linux.mdx (the service's folder); LM Studio, documentation, "Manage models";
huggingface_hub, `constants.py`; llama.cpp, `common/common.cpp`, `fs_get_cache_directory`.
"""

from collections.abc import Mapping
from pathlib import Path

from models.importers.base import Program

TITLES: Mapping[Program, str] = {
    "ollama": "Ollama",
    "lm_studio": "LM Studio",
    "hugging_face": "Hugging Face",
    "llama_cpp": "llama.cpp",
}
VARIABLES = ("OLLAMA_MODELS", "HF_HUB_CACHE", "HF_HOME", "LLAMA_CACHE")


def usual_places(environ: Mapping[str, str], home: Path) -> dict[Program, tuple[Path, ...]]:
    """Return the folders of each program, which need not exist."""
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    hub = environ.get("HF_HUB_CACHE") or Path(environ.get("HF_HOME") or cache / "huggingface") / "hub"
    ollama = Path(environ.get("OLLAMA_MODELS") or home / ".ollama" / "models")
    return {
        "ollama": (ollama, Path("/usr/share/ollama/.ollama/models")),
        "lm_studio": (home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"),
        "hugging_face": (Path(hub),),
        "llama_cpp": (Path(environ.get("LLAMA_CACHE") or cache / "llama.cpp"),),
    }
