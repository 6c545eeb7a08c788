"""Greedy answers of the network while it trains, and how many of them are right to the letter."""

from collections.abc import Sequence
from random import Random

import torch

from models.default.batches import IGNORED, encode_conversation
from models.default.network import EMBEDDING, Weights, hidden_states
from models.default.shape import Shape
from models.default.text.conversation import FAMILIES, Conversation, Family, example
from models.default.text.tool_calls import example as tool_example
from models.default.tokenizer import Tokenizer

MAX_ANSWER_TOKENS = 96


def exact_matches(
    weights: Weights, shape: Shape, tokenizer: Tokenizer, random: Random, num_each: int = 12
) -> dict[str, float]:
    """Return, for each family, the part of fresh first questions that is answered word for word.

    The skills are asked in wordings that were held out, too, under `… held out`.
    """
    chats: dict[str, list[Conversation]] = {}
    for family in FAMILIES:
        for held_out in (False, True):
            if held_out and family in ("english", "chinese"):
                continue
            name = f"{family} held out" if held_out else family
            chats[name] = [_first_turn(family, random, held_out) for _ in range(num_each)]
    return {name: _part_right(weights, shape, tokenizer, some) for name, some in chats.items()}


def _first_turn(family: Family, random: Random, held_out: bool) -> Conversation:
    if family == "tools":
        messages, tools = tool_example(random, held_out)
        return Conversation(messages[:2], tools)
    question, answer = example(family, random, held_out)
    return Conversation([{"role": role, "content": content} for role, content in (question, answer)])


def _part_right(weights: Weights, shape: Shape, tokenizer: Tokenizer, chats: Sequence[Conversation]) -> float:
    prompts, expected = [], []
    for chat in chats:
        tokens, targets = encode_conversation(chat, tokenizer)
        first = next(index for index, target in enumerate(targets) if target != IGNORED)
        prompts.append(tokens[:first])
        expected.append([target for target in targets if target != IGNORED])
    said = answers(weights, shape, prompts, tokenizer.special("<|im_end|>"))
    num_right: int = sum(one == other for one, other in zip(said, expected, strict=True))
    return num_right / len(chats)


@torch.no_grad()  # type: ignore[untyped-decorator]  # PyTorch is not installed where types are checked
def answers(weights: Weights, shape: Shape, prompts: Sequence[Sequence[int]], end: int) -> list[list[int]]:
    """Return the greedy continuation of each prompt, its end mark included.

    Each row is padded behind its last token, which no earlier position sees.
    """
    rows = [list(prompt) for prompt in prompts]
    said: list[list[int]] = [[] for _ in prompts]
    speaking = list(range(len(rows)))
    for _ in range(MAX_ANSWER_TOKENS):
        longest = max(len(rows[row]) for row in speaking)
        tokens = torch.tensor([rows[row] + [end] * (longest - len(rows[row])) for row in speaking])
        with torch.autocast("cpu", torch.bfloat16):
            hidden = hidden_states(weights, shape, tokens)
            last = hidden[torch.arange(len(speaking)), [len(rows[row]) - 1 for row in speaking]]
            best = (last @ weights[EMBEDDING].T).argmax(dim=-1).tolist()
        for row, token in zip(speaking, best, strict=True):
            rows[row].append(token)
            said[row].append(token)
        speaking = [row for row in speaking if said[row][-1] != end]
        if not speaking:
            break
    return said
