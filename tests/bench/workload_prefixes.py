"""Workloads in which prompts begin alike: among callers, from turn to turn, and after a restart."""

import asyncio
from dataclasses import dataclass

from tests.bench.workload_client import Answer, Site
from tests.bench.workload_figures import Figures, NotApplicable, mean_ttft_s, together

AFTER_DISK_S = 6.0
"""A prefix is on disk within five seconds of the end of its request."""


@dataclass(frozen=True)
class SharedPrefix:
    """New callers at once, with one fresh system prompt and a few tokens of their own each."""

    num_callers: int = 8
    shared_tokens: int = 1000
    own_tokens: int = 30
    answer_tokens: int = 16

    async def run(self, site: Site) -> Figures:
        shared = site.fresh(self.shared_tokens)
        prompts = [shared + site.fresh(self.own_tokens) for _ in range(self.num_callers)]
        answers = await together(site.complete(prompt, self.answer_tokens) for prompt in prompts)
        return {
            "mean_ttft_s": mean_ttft_s(answers),
            "max_ttft_s": max(answer.time_to_first_text_s for answer in answers),
            "cached_tokens": sum(answer.cached_tokens for answer in answers),
        }


@dataclass(frozen=True)
class Conversations:
    """Conversations whose turns take turns: each asks again only after all others did, some of them at a time."""

    num_conversations: int = 20
    num_turns: int = 6
    num_at_once: int = 4
    user_tokens: int = 60
    answer_tokens: int = 32

    async def run(self, site: Site) -> Figures:
        histories: list[list[dict[str, str]]] = [[] for _ in range(self.num_conversations)]
        answers: list[list[Answer]] = [[] for _ in range(self.num_turns)]
        order = iter([(turn, one) for turn in range(self.num_turns) for one in range(self.num_conversations)])
        turns = [asyncio.Lock() for _ in histories]

        async def talk() -> None:
            for turn, one in order:
                async with turns[one]:
                    histories[one].append({"role": "user", "content": site.words(self.user_tokens)})
                    answer = await site.chat(histories[one], self.answer_tokens)
                    histories[one].append({"role": "assistant", "content": answer.text()})
                    answers[turn].append(answer)

        await together(talk() for _ in range(self.num_at_once))
        later = [answer for turn in answers[1:] for answer in turn]
        figures = {"mean_ttft_s": mean_ttft_s([*answers[0], *later]), "first_turn_ttft_s": mean_ttft_s(answers[0])}
        if later:
            figures["later_turns_ttft_s"] = mean_ttft_s(later)
            num_prompt = sum(answer.prompt_tokens for answer in later)
            figures["later_cached_ratio"] = sum(answer.cached_tokens for answer in later) / max(num_prompt, 1)
        return figures


@dataclass(frozen=True)
class Restart:
    """A prompt is asked, the server restarted, the prompt asked again; another one, and the server killed.

    `..._from_start_s` counts from the start of the process, the other figures from a server that says it is ready.
    """

    prompt_tokens: int = 2000
    answer_tokens: int = 8

    async def run(self, site: Site) -> Figures:
        peer = site.peer
        if peer is None:
            raise NotApplicable("it needs a server that the benchmark starts itself")
        figures: Figures = {}
        for name, end in (("restart", peer.stop), ("kill", peer.kill)):
            prompt = site.fresh(self.prompt_tokens)
            first = await site.complete(prompt, self.answer_tokens)
            # The orderly end has to save everything by itself, so it is given no time to
            await asyncio.sleep(AFTER_DISK_S if name == "kill" else 0)
            await asyncio.to_thread(end)
            ready_s = await asyncio.to_thread(peer.start)
            again = await site.complete(prompt, self.answer_tokens)
            figures |= {
                f"{name}_first_ttft_s": first.time_to_first_text_s,
                f"{name}_again_ttft_s": again.time_to_first_text_s,
                f"{name}_again_by_first": again.time_to_first_text_s / first.time_to_first_text_s,
                f"{name}_from_start_s": ready_s + again.time_to_first_text_s,
                f"{name}_cached_tokens": again.cached_tokens,
            }
        return figures
