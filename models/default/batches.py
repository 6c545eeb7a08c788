"""Conversations as rows of tokens: packed one after the other, with the assistant's words as the only targets."""

from random import Random

import torch

from models.default.chat import render
from models.default.text.conversation import Conversation, conversation
from models.default.tokenizer import Tokenizer

IGNORED = -100


def encode_conversation(chat: Conversation, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return tokens, and for each of them itself where the assistant says it (its end mark included), else IGNORED."""
    tokens = tokenizer.encode_marked(render(chat.messages, chat.tools))
    start = [tokenizer.special("<|im_start|>"), *tokenizer.encode("assistant\n")]
    end = tokenizer.special("<|im_end|>")
    targets, is_said = [], False
    for index, token in enumerate(tokens):
        targets.append(token if is_said else IGNORED)
        if token == end:
            is_said = False
        elif tokens[index + 1 - len(start) : index + 1] == start:
            is_said = True
    return tokens, targets


def batch(tokenizer: Tokenizer, random: Random, num_rows: int, row_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and next-token targets, (num_rows, row_tokens): a row begins with a conversation, others follow."""
    inputs, targets = [], []
    for _ in range(num_rows):
        tokens: list[int] = []
        labels: list[int] = []
        while len(tokens) <= row_tokens:
            more_tokens, more_labels = encode_conversation(conversation(random), tokenizer)
            tokens += more_tokens
            labels += more_labels
        inputs.append(tokens[:row_tokens])
        targets.append(labels[1 : row_tokens + 1])
    return torch.tensor(inputs), torch.tensor(targets)
