"""Train the embedded model from nothing and write its GGUF file.

    python -m models.default.train --steps 1800 --out models/default/guide.gguf

Needs PyTorch, which is no dependency of the product; README.md beside this file says what the committed file cost.
"""

import argparse
import math
import time
from pathlib import Path
from random import Random

import torch
from torch.nn import functional

from models.default.corpus import HELD_OUT, Turn, conversation
from models.default.export import export
from models.default.network import Weights, initial_weights, logits
from models.default.shape import Shape
from models.default.tokenizer import Tokenizer, train_tokenizer

BATCH_ROWS = 16
ROW_TOKENS = 192
PEAK_LEARNING_RATE = 3e-3
WARM_UP_STEPS = 50
IGNORED = -100


def encode_turns(turns: list[Turn], tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return tokens and targets in ChatML; only what the assistant says is a target."""
    tokens: list[int] = []
    targets: list[int] = []
    start, end = tokenizer.special("<|im_start|>"), tokenizer.special("<|im_end|>")
    for role, content in turns:
        head = [start, *tokenizer.encode(f"{role}\n")]
        body = [*tokenizer.encode(content), end]
        tail = tokenizer.encode("\n")
        tokens += head + body + tail
        targets += [IGNORED] * len(head) + (body if role == "assistant" else [IGNORED] * len(body))
        targets += [IGNORED] * len(tail)
    return tokens, targets


def batches(tokenizer: Tokenizer, seed: int, rows: int = 8192) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and next-token targets, (rows, ROW_TOKENS): each row begins with a conversation, others follow."""
    random = Random(seed)
    inputs, targets = [], []
    for _ in range(rows):
        tokens: list[int] = []
        labels: list[int] = []
        while len(tokens) <= ROW_TOKENS:
            more_tokens, more_labels = encode_turns(conversation(random), tokenizer)
            tokens, labels = tokens + more_tokens, labels + more_labels
        inputs.append(tokens[:ROW_TOKENS])
        targets.append(labels[1 : ROW_TOKENS + 1])
    return torch.tensor(inputs), torch.tensor(targets)


def train(weights: Weights, shape: Shape, inputs: torch.Tensor, targets: torch.Tensor, num_steps: int) -> None:
    """Train in place."""
    for weight in weights.values():
        weight.requires_grad_()
    matrices = [weight for weight in weights.values() if weight.ndim > 1]
    vectors = [weight for weight in weights.values() if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_LEARNING_RATE, betas=(0.9, 0.95), fused=True)
    began_s = time.monotonic()
    for step in range(num_steps):
        rows = torch.randint(len(inputs), (BATCH_ROWS,))
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(step, num_steps)
        with torch.autocast("cpu", torch.bfloat16):
            scores = logits(weights, shape, inputs[rows])
        loss = functional.cross_entropy(scores.float().flatten(0, 1), targets[rows].flatten(), ignore_index=IGNORED)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == num_steps - 1:
            print(f"step {step}  {time.monotonic() - began_s:.0f} s  loss {loss.item():.4f}", flush=True)


def _learning_rate(step: int, num_steps: int) -> float:
    """Warm up, then fall along a cosine to a hundredth at the end."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / num_steps))
    return PEAK_LEARNING_RATE * min(1, (step + 1) / WARM_UP_STEPS) * (0.01 + 0.99 * cosine)


def answer(weights: Weights, shape: Shape, tokenizer: Tokenizer, question: str) -> str:
    """Return the greedy answer to one question."""
    prompt, _ = encode_turns([("user", question)], tokenizer)
    prompt += [tokenizer.special("<|im_start|>"), *tokenizer.encode("assistant\n")]
    said: list[int] = []
    with torch.no_grad():
        while len(said) < 60:
            token = int(logits(weights, shape, torch.tensor([prompt + said]))[0, -1].argmax())
            if token == tokenizer.special("<|im_end|>"):
                break
            said.append(token)
    return tokenizer.decode(said)


def main() -> None:
    """Train, report on the questions that were held out, and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("guide.gguf"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread and lose much to a busy neighbour
    torch.manual_seed(options.seed)
    shape, random = Shape(), Random(options.seed)
    sample = [content for _ in range(4000) for _, content in conversation(random)]
    roles = ["system\n", "user\n", "assistant\n"] * 4000
    tokenizer = train_tokenizer(sample + roles, shape.vocabulary_size)
    shape = Shape(vocabulary_size=len(tokenizer.tokens))
    inputs, targets = batches(tokenizer, options.seed)
    weights = initial_weights(shape, options.seed)
    print(f"{sum(weight.numel() for weight in weights.values()):,} parameters, {shape.vocabulary_size} tokens")
    train(weights, shape, inputs, targets, options.steps)
    arrays = {name: weight.detach().numpy() for name, weight in weights.items()}
    export(options.out, arrays, shape, tokenizer)
    right = 0
    for question, expected in HELD_OUT:
        said = answer(weights, shape, tokenizer, question)
        right += said == expected
        print(f"{'+' if said == expected else '-'} {question}\n    {said}")
    print(f"{right} of {len(HELD_OUT)} held-out questions right")


if __name__ == "__main__":
    main()
