"""How a sequence comes to its tokens: with and without a grammar, told and not told."""

import numpy as np
import pytest

from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.request import GenerateRequest, Regex, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams
from appliance.engine.choosing import Choosing
from appliance.engine.constraint import Grammars
from appliance.engine.sampler import Scratch

TOKENIZER = EchoTokenizer(512)
GRAMMARS = Grammars(TOKENIZER)
END = min(TOKENIZER.eos_ids)


def choosing(pattern: str | None = None, **fields: object) -> Choosing:
    constraint = None if pattern is None else Regex(pattern=pattern, param="x")
    request = GenerateRequest(
        id=RequestId("a"),
        model="m",
        prompt=TextPrompt(text=""),
        sampling=SamplingParams(temperature=0),
        constraint=constraint,
        **fields,
    )
    return Choosing(request, 0, np.zeros(1, np.int32), TOKENIZER, Scratch(512), GRAMMARS.compile(constraint))


def row(**likely: float) -> np.ndarray:
    """Return logits of 0 but for these letters; `end` is the end of the answer."""
    logits = np.zeros(512, np.float32)
    for name, value in likely.items():
        logits[END if name == "end" else ord(name)] = value
    return logits


def test_a_grammar_is_followed_only_where_it_has_begun() -> None:
    chooser = choosing("ab")
    assert chooser.choose(row(z=5), is_constrained=False)[0] == ord("z")
    assert chooser.choose(row(z=5), is_constrained=True)[0] == ord("a")
    assert chooser.forced() == [ord("b")]
    chooser.follow(ord("b"), is_constrained=True)
    assert chooser.is_complete


def test_an_answer_does_not_end_before_its_grammar_has_begun() -> None:
    assert choosing("ab").choose(row(end=9, z=5), is_constrained=False)[0] == ord("z")
    assert choosing().choose(row(end=9, z=5), is_constrained=False)[0] == END


def test_a_guess_is_cut_where_the_grammar_forbids_it() -> None:
    guess = np.frombuffer(b"aabaa", np.uint8).astype(np.int32)
    assert choosing("a*c").possible(guess).tolist() == [ord("a"), ord("a")]
    assert choosing().possible(guess).tolist() == guess.tolist()


def test_what_a_request_is_told_is_drawn_and_not_forced() -> None:
    chooser = choosing("ab", logprobs=1)
    assert chooser.forced() == []
    token, (entry,) = chooser.choose(row(z=5), is_constrained=True)
    assert (token, entry.top[0].text) == (ord("a"), "z")
    assert chooser.sum_logprob == pytest.approx(entry.logprob)
    assert choosing("ab").sum_logprob is None
