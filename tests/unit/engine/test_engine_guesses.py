"""Guessed tokens in the engine: fewer steps, the same text."""

from appliance.core.sampling import SamplingParams
from tests.unit.engine.engine_bench import Bench, text_prompt


def test_repetitive_text_takes_fewer_steps_and_stays_the_same() -> None:
    prompt = "the quick brown fox jumps over the lazy dog. " * 3
    bench = Bench().start(text_prompt("a", prompt, 120)).run()
    assert bench.text("a") == (prompt * 5)[len(prompt) :][:120]
    usage = bench.finished("a").usage
    assert usage.completion_tokens == 120 and usage.accepted_draft_tokens > 60
    assert bench.engine.num_steps < 60


def test_a_guess_never_changes_a_seeded_answer() -> None:
    request = text_prompt("a", "abcabcabc", 80, sampling=SamplingParams(temperature=0.7, seed=5))
    guessed = Bench().start(request).run()
    assert guessed.text("a") == Bench(speculates=False).start(request).run().text("a")
    assert guessed.finished("a").usage.rejected_draft_tokens > 0


def test_a_guess_is_not_written_past_the_end_of_the_answer() -> None:
    bench = Bench().start(text_prompt("a", "xyxyxyxyxyxy", 30, stop=("yxyxyxyxyxyxyx",)))
    bench.start(text_prompt("b", "xyxyxyxyxyxy", 9)).run()
    assert bench.text("a") == "x" and bench.finished("a").reason == "stop"
    assert bench.text("b") == "xyxyxyxyx" and bench.finished("b").usage.completion_tokens == 9
