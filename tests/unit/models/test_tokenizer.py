"""The tokenizer of the embedded model: every text comes back, words that were seen are short, marks are marks."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.default.text import topics
from models.default.tokenizer import SPECIAL_TOKENS, train_tokenizer

ANSWERS = [topic.answer for topic in (*topics.ENGLISH, *topics.CHINESE)]
TOKENIZER = train_tokenizer(ANSWERS, 400)


@given(st.text(max_size=60))
def test_every_text_comes_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_the_vocabulary_is_bytes_merges_and_special_tokens() -> None:
    assert len(TOKENIZER.tokens) == len(set(TOKENIZER.tokens)) == 400
    assert TOKENIZER.tokens[-3:] == SPECIAL_TOKENS
    assert TOKENIZER.special("<|im_end|>") == 399
    assert ["".join(pair) for pair in TOKENIZER.merges] == list(TOKENIZER.tokens[256:-3])


def test_special_tokens_cannot_be_written_as_text() -> None:
    assert max(TOKENIZER.encode("<|im_start|>system")) < TOKENIZER.special("<|endoftext|>")


def test_a_rendered_conversation_keeps_its_marks() -> None:
    ids = TOKENIZER.encode_marked("<|im_start|>user\nhello<|im_end|>\n")
    assert ids[0] == TOKENIZER.special("<|im_start|>")
    assert ids[-2:] == [TOKENIZER.special("<|im_end|>"), *TOKENIZER.encode("\n")]
    assert TOKENIZER.decode(ids[1:-2]) == "user\nhello"


def test_training_again_gives_the_same_tokenizer() -> None:
    assert train_tokenizer(reversed(ANSWERS), 400) == TOKENIZER


def test_a_merge_is_the_commonest_pair_at_its_time() -> None:
    """Count from the start for each merge, which training spares itself."""
    words = ["aa", "aa", "aaa", "aab", "ab", "ab", "ba"]
    learned = train_tokenizer([" ".join(words)], 256 + len(SPECIAL_TOKENS) + 4).merges
    spelled = [list(word if index == 0 else "Ġ" + word) for index, word in enumerate(words)]
    for merge in learned:
        counts: dict[tuple[str, str], int] = {}
        for word in spelled:
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        assert merge == min(counts, key=lambda pair: (-counts[pair], pair))
        pair_alone = rf"(?<!\S){merge[0]} {merge[1]}(?!\S)"
        spelled = [re.sub(pair_alone, "".join(merge), " ".join(word)).split() for word in spelled]


def test_a_frequent_word_is_one_token() -> None:
    assert len(TOKENIZER.encode(" appliance")) == 1


@pytest.mark.parametrize("text", ["12", "½½", "Ⅳ2", "a1"])
def test_every_digit_and_number_stands_alone(text: str) -> None:
    assert TOKENIZER.encode(text) == [index for character in text for index in TOKENIZER.encode(character)]
