"""Times what a grammar costs a token: `python tests/bench/grammar.py MODEL.gguf [--tokens 2000]`.

Rows of random logits lead the sampler through the grammar, so that every branch of it is seen; where an answer is
complete the next begins. A row of the same size without a grammar is drawn from beside it.
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from appliance.backends import loading
from appliance.backends.base import LogitsArray, Tokenizer
from appliance.core.plan import Artefact
from appliance.core.request import Constraint, GenerateRequest, Grammar, JsonSchema, Regex, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams
from appliance.engine.choosing import Choosing
from appliance.engine.constraint import CompiledGrammar, Grammars
from appliance.engine.sampler import Scratch

PERSON = {
    "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string"}, "born": {"format": "date"}}}},
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 80},
        "people": {"type": "array", "items": {"$ref": "#/$defs/person"}, "maxItems": 5},
        "kind": {"enum": ["letter", "article", "book"]},
        "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        "rating": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10}, {"type": "null"}]},
    },
    "required": ["title", "people", "kind", "code", "rating"],
    "additionalProperties": False,
}
LIST = 'root ::= item+\nitem ::= "- " [^\\n]{1,40} "\\n"'
CONSTRAINTS: dict[str, Constraint] = {
    "a schema": JsonSchema(schema=PERSON, param="x"),
    "any JSON object": JsonSchema(schema={"type": "object"}, param="x"),
    "a regular expression": Regex(pattern=r"[a-z]+(, [a-z]+)*\.", param="x"),
    "GBNF": Grammar(text=LIST, syntax="gbnf", param="x"),
}
NUM_ROWS = 16


def choosing(tokenizer: Tokenizer, scratch: Scratch, grammar: CompiledGrammar | None, seed: int) -> Choosing:
    request = GenerateRequest(
        id=RequestId("a"), model="x", prompt=TextPrompt(text=""), sampling=SamplingParams(top_k=40, seed=seed)
    )
    return Choosing(request, 0, np.zeros(1, np.int32), tokenizer, scratch, grammar)


def times_us(
    tokenizer: Tokenizer, rows: LogitsArray, grammar: CompiledGrammar | None, num_tokens: int
) -> tuple[list[float], float]:
    """Return how long each drawn token took, and how many were forced for each that was drawn."""
    scratch = Scratch(tokenizer.vocab_size)
    seeds = itertools.count()
    current = choosing(tokenizer, scratch, grammar, next(seeds))
    times, num_forced = [], 0
    for index in range(num_tokens):
        row = rows[index % NUM_ROWS].copy()
        started_s = time.perf_counter()
        token, _ = current.choose(row, is_constrained=grammar is not None)
        is_over = current.is_complete or token in tokenizer.eos_ids
        while not is_over and (forced := current.forced()):
            for each in forced:
                current.follow(each, is_constrained=True)
            num_forced += len(forced)
            is_over = current.is_complete
        times.append((time.perf_counter() - started_s) * 1e6)
        if is_over:
            current = choosing(tokenizer, scratch, grammar, next(seeds))
    return times, num_forced / num_tokens


def show(name: str, times: list[float], forced_ratio: float, **more: Any) -> None:
    ordered = sorted(times)
    p95, most = ordered[int(0.95 * len(ordered))], ordered[-1]
    extra = "".join(f"{value:12.1f}" for value in more.values())
    print(f"{name:22}{statistics.median(times):10.0f}{p95:10.0f}{most:10.0f}{forced_ratio:10.2f}{extra}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file, of which only the vocabulary is read")
    parser.add_argument("--tokens", type=int, default=2000)
    arguments = parser.parse_args()
    tokenizer = loading.open_tokenizer(Artefact(format="gguf", path=str(arguments.model), digest="sha256:0"))
    grammars = Grammars(tokenizer)
    started_s = time.perf_counter()
    grammars.compile(Regex(pattern="a", param="x"))
    print(f"vocabulary of {tokenizer.vocab_size}: {time.perf_counter() - started_s:.2f} s to make, once")
    rows = np.random.default_rng(0).normal(0, 2, (NUM_ROWS, tokenizer.vocab_size)).astype(np.float32)
    print(f"{'µs a drawn token':22}{'median':>10}{'p95':>10}{'most':>10}{'forced':>10}{'compile ms':>12}")
    show("without a grammar", *times_us(tokenizer, rows, None, arguments.tokens))
    for name, constraint in CONSTRAINTS.items():
        started_s = time.perf_counter()
        grammar = grammars.compile(constraint)
        compile_ms = (time.perf_counter() - started_s) * 1e3
        show(name, *times_us(tokenizer, rows, grammar, arguments.tokens), compile_ms=compile_ms)


if __name__ == "__main__":
    main()
