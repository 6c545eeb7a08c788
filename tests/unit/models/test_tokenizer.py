"""The tokenizer of the embedded model: every text comes back, and words that were seen are short."""

from hypothesis import given
from hypothesis import strategies as st

from models.default.corpus import HELD_OUT, TOPICS
from models.default.tokenizer import SPECIAL_TOKENS, train_tokenizer

TOKENIZER = train_tokenizer([topic.answer for topic in TOPICS], 400)


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


def test_training_again_gives_the_same_tokenizer() -> None:
    assert train_tokenizer([topic.answer for topic in reversed(TOPICS)], 400) == TOKENIZER


def test_a_frequent_word_is_one_token() -> None:
    assert len(TOKENIZER.encode(" appliance")) == 1


def test_held_out_questions_are_in_no_topic_s_training_questions() -> None:
    trained = {question for topic in TOPICS for question in topic.questions[:-1]}
    assert not trained.intersection(question for question, _ in HELD_OUT)
