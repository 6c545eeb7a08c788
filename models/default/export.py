"""Turn a checkpoint into what is shipped: a Hugging Face folder in half precision, and a GGUF file.

python -m models.default.export guide.pt --out models/default
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.default.folder import json_files
from models.default.gguf_export import QUANTIZATIONS, write_llama_gguf
from models.default.train import resume


def main() -> None:
    """Export as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="gets guide/ and guide.gguf")
    parser.add_argument("--quantization", choices=QUANTIZATIONS, default="Q8_0")
    options = parser.parse_args()
    run = resume(options.checkpoint)
    folder = options.out / "guide"
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: weight.detach().to(torch.float16).contiguous() for name, weight in run.weights.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # the library writes it for its owner alone
    for name, content in json_files(run.shape, run.tokenizer).items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    arrays = {name: weight.detach().numpy() for name, weight in run.weights.items()}
    write_llama_gguf(options.out / "guide.gguf", arrays, run.shape, run.tokenizer, options.quantization)


if __name__ == "__main__":
    main()
