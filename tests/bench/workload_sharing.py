"""Workloads in which unlike requests share the machine: a long one, many of one caller, and many that are alike."""

import time
from dataclasses import dataclass

from tests.bench.workload_client import Answer, Site
from tests.bench.workload_figures import Figures, Gate, gaps_after, mean_ttft_s, together


@dataclass(frozen=True)
class LongArrival:
    """Streams that decode while a long prompt arrives, which is sent when each of them has written some tokens.

    Gaps are those that end after the long prompt was sent. The throughput counts the tokens of all prompts and answers,
    the long one's too, from the first request to the last answer's end.
    """

    num_streams: int = 4
    short_tokens: int = 64
    stream_tokens: int = 64
    long_tokens: int = 4000
    long_answer_tokens: int = 16
    head_start_tokens: int = 8

    async def run(self, site: Site) -> Figures:
        start_s = time.perf_counter()
        gates = [Gate(self.head_start_tokens) for _ in range(self.num_streams)]
        prompts = [site.fresh(self.short_tokens) for _ in gates]
        long_prompt = site.fresh(self.long_tokens)

        async def arrive() -> Answer:
            await together(gate.is_reached() for gate in gates)
            return await site.complete(long_prompt, self.long_answer_tokens)

        short = (
            gate.guard(site.complete(prompt, self.stream_tokens, gate.count))
            for prompt, gate in zip(prompts, gates, strict=True)
        )
        *streams, late = await together([*short, arrive()])
        everything = [*streams, late]
        num_tokens = sum(answer.prompt_tokens + answer.completion_tokens for answer in everything)
        gaps_s = sorted(gap_s for answer in streams for gap_s in gaps_after(answer, late.start_s)) or [0.0]
        return {
            "longest_gap_s": gaps_s[-1],
            "p99_gap_s": gaps_s[len(gaps_s) * 99 // 100],
            "tokens_per_s": num_tokens / (max(answer.end_s for answer in everything) - start_s),
            "long_ttft_s": late.time_to_first_text_s,
        }


@dataclass(frozen=True)
class Decode:
    """Unrelated streams."""

    num_streams: tuple[int, ...] = (8, 16)
    prompt_tokens: int = 64
    answer_tokens: int = 64

    async def run(self, site: Site) -> Figures:
        figures = {}
        for num_streams in self.num_streams:
            start_s = time.perf_counter()
            prompts = [site.fresh(self.prompt_tokens) for _ in range(num_streams)]
            answers = await together(site.complete(prompt, self.answer_tokens) for prompt in prompts)
            num_tokens = sum(answer.completion_tokens for answer in answers)
            figures[f"tokens_per_s_{num_streams}"] = num_tokens / (time.perf_counter() - start_s)
        return figures


@dataclass(frozen=True)
class Fairness:
    """A caller with one request, alone, and beside a caller whose many requests are all open; sent once those write."""

    num_requests: int = 50
    prompt_tokens: int = 100
    answer_tokens: int = 64
    head_start_tokens: int = 8

    async def run(self, site: Site) -> Figures:
        async def small() -> Answer:
            prompt = site.fresh(self.prompt_tokens)
            return await site.complete(prompt, self.answer_tokens, user="b", is_other_caller=True)

        alone = await small()
        gate = Gate(self.head_start_tokens)

        async def arrive() -> Answer:
            await gate.is_reached()
            return await small()

        prompts = [site.fresh(self.prompt_tokens) for _ in range(self.num_requests)]
        many = (gate.guard(site.complete(prompt, self.answer_tokens, gate.count, user="a")) for prompt in prompts)
        start_s = time.perf_counter()
        *answers, beside = await together([*many, arrive()])
        duration_s = max(answer.end_s for answer in answers) - start_s
        return {
            "alone_ttft_s": alone.time_to_first_text_s,
            "beside_ttft_s": beside.time_to_first_text_s,
            "beside_by_alone": beside.time_to_first_text_s / alone.time_to_first_text_s,
            "many_mean_ttft_s": mean_ttft_s(answers),
            "many_tokens_per_s": sum(answer.completion_tokens for answer in answers) / duration_s,
        }
