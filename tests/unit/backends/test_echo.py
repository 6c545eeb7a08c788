import signal
import subprocess
import sys

import numpy as np
import pytest

from appliance.backends.base import Batch, Run
from appliance.backends.echo import EchoBackend, EchoModel
from appliance.backends.echo_tokenizer import IM_END, EchoTokenizer
from appliance.errors import BackendError
from tests.unit.backends.plans import plan_of

TOKENIZER = EchoTokenizer(512)
CHATS = ("echo:", "echo:?chat=hermes", "echo:?chat=thinking")


def load(path: str = "echo:") -> EchoModel:
    return EchoBackend().load(plan_of("echo", "echo", path), lambda ratio: None)


def greedy(model: EchoModel, prompt: str, num_tokens: int) -> list[int]:
    tokens, start, answer = TOKENIZER.encode(prompt, parse_special=True, add_bos=True), 0, []
    for _ in range(num_tokens):
        row = model.step(Batch((Run(0, start, tokens, 1),))).logits[0][0]
        start += len(tokens)
        tokens = np.array([row.argmax()], np.int32)
        answer.append(int(tokens[0]))
    return answer


def test_a_chat_is_answered_with_the_last_message_and_the_end_of_the_turn() -> None:
    prompt = "<|im_start|>user\nno<|im_end|>\n<|im_start|>user\nhi!<|im_end|>\n<|im_start|>assistant\n"
    assert greedy(load(), prompt, 4) == [*b"hi!", IM_END]


def test_with_emphasis_nothing_else_is_likely_and_at_the_end_what_closes_json_comes_next() -> None:
    prompt = "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"
    tokens = TOKENIZER.encode(prompt, parse_special=True, add_bos=True)
    row = load("echo:?emphasis=100").step(Batch((Run(0, 0, tokens, 1),))).logits[0][0]
    *_, fifth, fourth, third, second, first = np.argsort(row)
    assert [first, second, third, fourth] == [IM_END, *b'"}]']
    assert row[first] - row[second] > 40 and row[fourth] - row[fifth] > 20


@pytest.mark.parametrize("opening", ["<think>\n", "<think>\n\n</think>\n\n"])
def test_thinking_that_the_template_began_is_no_part_of_the_answer(opening: str) -> None:
    prompt = f"<|im_start|>user\nhi!<|im_end|>\n<|im_start|>assistant\n{opening}"
    assert greedy(load(), prompt, 4) == [*b"hi!", IM_END]
    spoken = f"<|im_start|>user\n{opening}hi!<|im_end|>\n<|im_start|>assistant\n{opening}"
    assert greedy(load(), spoken, 4) == [*b"hi!", IM_END]


def test_an_artefact_says_which_chats_its_template_knows() -> None:
    templates = [EchoBackend().open_tokenizer(plan_of("echo", "echo", path).artefact).chat_template for path in CHATS]
    assert [("tools" in (text or ""), "enable_thinking" in (text or "")) for text in templates] == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_a_plain_text_is_continued_with_its_smallest_period() -> None:
    assert bytes(greedy(load(), "abcab", 7)) == b"cabcabc"


def test_a_row_does_not_outlive_the_next_step() -> None:
    model = load()
    row = model.step(Batch((Run(0, 0, np.array([65], np.int32), 1),))).logits[0]
    kept = row.copy()
    model.step(Batch((Run(0, 1, np.array([66], np.int32), 1),)))
    assert not np.array_equal(row, kept)


def test_a_model_without_truncation_is_dropped_copied_and_saved_as_a_whole_only() -> None:
    model = load("echo:?truncate=0")
    model.step(Batch((Run(0, 0, np.array([65, 66], np.int32), 1),)))
    for call in (lambda: model.truncate(0, 1), lambda: model.copy(0, 1, 1), lambda: model.snapshot(0, 0, 1)):
        with pytest.raises(BackendError, match="as a whole"):
            call()
    model.copy(0, 1, 2)
    model.truncate(0, 0)
    assert (model.length_tokens(0), model.length_tokens(1)) == (0, 2)


@pytest.mark.parametrize("path", ["echo:?colour=red", "echo:?vocab=many", "echo:?vocab=100"])
def test_options_that_echo_does_not_know_are_refused(path: str) -> None:
    with pytest.raises(BackendError):
        load(path)


def test_faults_come_when_they_were_asked_for() -> None:
    with pytest.raises(BackendError, match="no luck"):
        load("echo:?fail_load=no+luck")
    model = load("echo:?fail_after_steps=1")
    model.step(Batch((Run(0, 0, np.array([65], np.int32), 1),)))
    with pytest.raises(BackendError, match="after 1 steps"):
        model.step(Batch((Run(0, 1, np.array([65], np.int32), 1),)))


def test_echo_dies_as_the_kernel_would_end_it() -> None:
    program = (
        "from appliance.backends.echo import EchoBackend\n"
        "from tests.unit.backends.plans import plan_of\n"
        "EchoBackend().load(plan_of('echo', 'echo', 'echo:?die_on_load=1'), print)"
    )
    died = subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False)
    assert died.returncode == -signal.SIGKILL


def test_special_tokens_are_parsed_only_when_asked_for() -> None:
    text = "é<|im_end|>"
    assert TOKENIZER.encode(text, parse_special=True, add_bos=False).tolist() == [*"é".encode(), IM_END]
    plain = TOKENIZER.encode(text, parse_special=False, add_bos=False)
    assert b"".join(TOKENIZER.token_bytes(token) for token in plain.tolist()) == text.encode()
    assert (TOKENIZER.token_bytes(IM_END), TOKENIZER.special_text(IM_END)) == (b"", "<|im_end|>")
