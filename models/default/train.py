"""Train the embedded model from nothing, or go on from a checkpoint; export.py turns the checkpoint into files.

    python -m models.default.train --minutes 100 --checkpoint guide.pt

Needs PyTorch and a C++ compiler, which are no dependencies of the product; README.md beside this file says what the
committed files cost.
"""

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch.nn import functional

from models.default.batches import IGNORED, batch
from models.default.chat import render
from models.default.network import EMBEDDING, Weights, hidden_states, initial_weights
from models.default.sample import exact_matches
from models.default.shape import Shape
from models.default.text.conversation import conversation
from models.default.tokenizer import Tokenizer, train_tokenizer
from models.files import replace_atomically

NUM_SAMPLE_CONVERSATIONS = 20_000
BATCH_TOKENS = 4096
ROW_TOKENS, LONG_ROW_TOKENS = 256, 1024
LONG_ROWS_SHARE = 0.2  # the part of the steps whose rows are long, so that long conversations work, too
PEAK_LEARNING_RATE = 5e-3
WARM_UP_STEPS = 60
DECAY_FROM = 0.25  # the part of the run after which the learning rate falls in a straight line
REPORT_STEPS = 50
CHECKPOINT_S = 1200


@dataclass(slots=True)
class Run:
    """All that a checkpoint holds."""

    shape: Shape
    tokenizer: Tokenizer
    weights: Weights
    optimizers: list[torch.optim.Optimizer]
    seed: int
    step: int = 0
    elapsed_s: float = 0.0


def begin(seed: int) -> Run:
    """Return a run at its first step."""
    random = Random(seed)
    sample = [conversation(random) for _ in range(NUM_SAMPLE_CONVERSATIONS)]
    tokenizer = train_tokenizer((render(chat.messages, chat.tools) for chat in sample), Shape().vocabulary_size)
    shape = Shape(vocabulary_size=len(tokenizer.tokens))
    weights = initial_weights(shape, seed)
    return Run(shape, tokenizer, weights, _optimizers(weights), seed)


def resume(path: Path) -> Run:
    """Return the run that the checkpoint holds."""
    saved = torch.load(path, weights_only=True)
    shape = Shape(**saved["shape"])
    tokenizer = Tokenizer(tuple(saved["tokens"]), tuple((left, right) for left, right in saved["merges"]))
    optimizers = _optimizers(saved["weights"])
    for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    return Run(shape, tokenizer, saved["weights"], optimizers, saved["seed"], saved["step"], saved["elapsed_s"])


def save(run: Run, path: Path) -> None:
    """Write the checkpoint as a whole, in place of an earlier one."""
    saved: dict[str, Any] = {
        "shape": asdict(run.shape),
        "tokens": list(run.tokenizer.tokens),
        "merges": [list(pair) for pair in run.tokenizer.merges],
        "weights": {name: weight.detach() for name, weight in run.weights.items()},
        "optimizers": [optimizer.state_dict() for optimizer in run.optimizers],
        "seed": run.seed,
        "step": run.step,
        "elapsed_s": run.elapsed_s,
    }
    with replace_atomically(path) as stream:
        torch.save(saved, stream)


def train(run: Run, budget_s: float, max_steps: int, checkpoint: Path) -> None:
    """Train in place until the time or the steps are used up, whichever comes first."""
    for weight in run.weights.values():
        weight.requires_grad_()
    began_s = time.monotonic() - run.elapsed_s
    saved_s = run.elapsed_s
    while (progress := max(run.elapsed_s / budget_s, run.step / max_steps)) < 1:
        random = Random(run.seed * 1_000_003 + run.step)
        row_tokens = LONG_ROW_TOKENS if random.random() < LONG_ROWS_SHARE else ROW_TOKENS
        inputs, targets = batch(run.tokenizer, random, BATCH_TOKENS // row_tokens, row_tokens)
        for optimizer in run.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = _learning_rate(run.step, progress)
        loss = _step(run, inputs, targets)
        run.step += 1
        run.elapsed_s = time.monotonic() - began_s
        if run.step % REPORT_STEPS == 0:
            print(f"step {run.step}  {run.elapsed_s:.0f} s  {progress:.3f}  loss {loss:.4f}", flush=True)
        if run.elapsed_s - saved_s > CHECKPOINT_S:
            saved_s = run.elapsed_s
            save(run, checkpoint)
            print(exact_matches(run.weights, run.shape, run.tokenizer, Random(run.step)), flush=True)
    save(run, checkpoint)
    print(exact_matches(run.weights, run.shape, run.tokenizer, Random(run.step), num_each=40), flush=True)


def _step(run: Run, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Follow the gradient once. Only where there is a target is the output layer computed."""
    said = targets != IGNORED
    with torch.autocast("cpu", torch.bfloat16):
        hidden = _compiled_hidden_states(run.weights, run.shape, inputs)[said]
        scores = functional.linear(hidden, run.weights[EMBEDDING])
    loss = functional.cross_entropy(scores.float(), targets[said])
    for optimizer in run.optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(run.weights.values()), 1.0)
    for optimizer in run.optimizers:
        optimizer.step()
    return float(loss.item())


_compiled_hidden_states = torch.compile(hidden_states, dynamic=False)  # in 0.7 of the time; it needs a C++ compiler


def _optimizers(weights: Weights) -> list[torch.optim.Optimizer]:
    """Return Muon for the layers' matrices and AdamW for the rest.

    Source: Jordan et al. 2024 (Muon); Liu et al. 2025 for the scale at which both take the same learning rate.
    """
    matrices = [weight for name, weight in weights.items() if weight.ndim > 1 and name != EMBEDDING]
    others = [weight for name, weight in weights.items() if weight.ndim == 1 or name == EMBEDDING]
    return [
        torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def _learning_rate(step: int, progress: float) -> float:
    """Warm up, hold, then fall in a straight line to nearly nothing at the end."""
    falling = min(1.0, (1 - progress) / (1 - DECAY_FROM))
    return PEAK_LEARNING_RATE * min(1.0, (step + 1) / WARM_UP_STEPS) * max(falling, 0.005)


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=100.0)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, default=Path("guide.pt"))
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(options.seed)
    run = resume(options.checkpoint) if options.resume else begin(options.seed)
    print(f"{sum(weight.numel() for weight in run.weights.values()):,} parameters, step {run.step}", flush=True)
    train(run, options.minutes * 60, options.steps, options.checkpoint)


if __name__ == "__main__":
    main()
