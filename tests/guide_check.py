"""Compare what was exported with the network that was trained: token ids and logits, in three implementations.

    python tests/guide_check.py guide.pt models/default

Needs torch, transformers and llama-cpp-python in one environment; prints the greatest differences.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

import llama_cpp
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

if not __package__:  # started as a script from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.default.chat import render
from models.default.gguf_export import write_llama_gguf
from models.default.network import logits
from models.default.text.conversation import Conversation, conversation
from models.default.train import Run, resume
from models.formats.quantize import Floats

NUM_TEXTS, NUM_PROMPTS = 2000, 8
_SCRIPTS = "abc XYZ 019 _-'\"\n\t.,:;!?/\\{}[]()<|>=+äßéñøкшΩ中文模型服务器加载，。：？！「」½²Ⅳ\u3000\u00a0🙂€£’…٣क्"


def main() -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("exported", type=Path, help="the folder that holds guide/ and guide.gguf")
    options = parser.parse_args()
    run = resume(options.checkpoint)
    random = Random(2)
    chats = [conversation(random) for _ in range(NUM_TEXTS)]
    _compare_templates(options.exported / "guide", chats)
    texts = [render(chat.messages, chat.tools) for chat in chats]
    noise = ["".join(random.choices(_SCRIPTS, k=random.randint(1, 60))) for _ in range(NUM_TEXTS)]
    _compare_ids(run, options.exported, texts + noise)
    _compare_logits(run, options.exported, texts[:NUM_PROMPTS])


def _compare_templates(folder: Path, chats: list[Conversation]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rendered = [tokenizer.apply_chat_template(c.messages, tools=c.tools or None, tokenize=False) for c in chats]
    same = sum(one == render(c.messages, c.tools) for one, c in zip(rendered, chats, strict=True))
    print(f"chat template: {same} of {len(chats)} conversations rendered alike by transformers")


def _compare_ids(run: Run, exported: Path, texts: list[str]) -> None:
    other = AutoTokenizer.from_pretrained(exported / "guide")
    llama = llama_cpp.Llama(str(exported / "guide.gguf"), vocab_only=True, verbose=False)
    alike = {"tokenizers": 0, "llama.cpp": 0}
    for text in texts:
        ids = run.tokenizer.encode_marked(text)
        for name, theirs in (
            ("tokenizers", other(text, add_special_tokens=False)["input_ids"]),
            ("llama.cpp", llama.tokenize(text.encode(), add_bos=False, special=True)),
        ):
            alike[name] += ids == theirs
            if ids != theirs:
                print(f"{name} differs: {text!r}\n  {ids}\n  {theirs}")
    print(f"token ids: of {len(texts)} texts alike {alike}")


def _compare_logits(run: Run, exported: Path, texts: list[str]) -> None:
    folder = AutoModelForCausalLM.from_pretrained(exported / "guide", dtype=torch.float32)
    with tempfile.TemporaryDirectory() as scratch:
        arrays = {name: weight.detach().numpy() for name, weight in run.weights.items()}
        write_llama_gguf(Path(scratch) / "f16.gguf", arrays, run.shape, run.tokenizer, "F16")
        files = {"llama.cpp F16": Path(scratch) / "f16.gguf", "llama.cpp Q8_0": exported / "guide.gguf"}
        loaded = {name: _load(path) for name, path in files.items()}
    for text in texts:
        ids = run.tokenizer.encode_marked(text)
        with torch.no_grad():
            ours = logits(run.weights, run.shape, torch.tensor([ids]))[0].numpy()
            theirs = {"transformers": folder(torch.tensor([ids])).logits[0].numpy()}
        theirs |= {name: _llama_logits(llama, ids) for name, llama in loaded.items()}
        report = [f"{len(ids)} tokens, logits from {ours.min():.1f} to {ours.max():.1f}"]
        for name, values in theirs.items():
            same = (values.argmax(-1) == ours.argmax(-1)).mean()
            report.append(f"{name}: {np.abs(values - ours).max():.4f} apart, {same:.1%} best tokens alike")
        print("; ".join(report))


def _load(path: Path) -> llama_cpp.Llama:
    return llama_cpp.Llama(str(path), n_ctx=2048, logits_all=True, verbose=False, n_threads=1)


def _llama_logits(llama: llama_cpp.Llama, ids: list[int]) -> Floats:
    llama.reset()
    llama.eval(ids)
    return np.array(llama.scores[: len(ids)], dtype=np.float32)


if __name__ == "__main__":
    main()
