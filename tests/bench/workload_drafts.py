"""Workloads whose answers repeat what was said: tokens per second against those of an answer that does not."""

from dataclasses import dataclass

from tests.bench.copying_model import CYCLE_TOKENS
from tests.bench.workload_client import GREEDY, Answer, Site
from tests.bench.workload_figures import Figures


@dataclass(frozen=True)
class Repetitive:
    """A passage is to be written again with an edit, greedily. For a model that can do it; others loop, or do not."""

    passage_tokens: int = 400
    answer_tokens: int = 400

    async def run(self, site: Site) -> Figures:
        passage = site.words(self.passage_tokens)
        old, new = passage.split()[5], site.words(1).split()[0]
        task = f"Write this text again with '{new}' in place of '{old}', and nothing else:\n\n{passage}"
        asked = [{"role": "user", "content": task}]
        plain_asked = [{"role": "user", "content": site.words(self.passage_tokens + 20)}]
        plain = await site.chat(plain_asked, self.answer_tokens, **GREEDY)
        answer = await site.chat(asked, self.answer_tokens, **GREEDY)
        figures = speeds_of(answer, plain)
        if site.plain is not None:
            off = await site.chat(asked, self.answer_tokens, **GREEDY, **site.plain)
            figures["off_tokens_per_s"] = off.decode_tokens_per_s
        return figures


@dataclass(frozen=True)
class Copying:
    """The same for the model of copying_model.py, which does write the passage again, and undoes what was changed."""

    passage_tokens: int = 400
    num_edits: int = 8
    answer_tokens: int = 400

    async def run(self, site: Site) -> Figures:
        prompt, plain_prompt = self.prompts(site)
        plain = await site.complete(plain_prompt, self.answer_tokens, **GREEDY)
        answer = await site.complete(prompt, self.answer_tokens, **GREEDY)
        figures = speeds_of(answer, plain)
        if site.plain is not None:
            off = await site.complete(prompt, self.answer_tokens, **GREEDY, **site.plain)
            figures["off_tokens_per_s"] = off.decode_tokens_per_s
        return figures

    def prompts(self, site: Site) -> tuple[list[int], list[int]]:
        """Return a prompt whose passage the answer repeats but for the edits, and one of which nothing comes again."""
        cycles = range(-(-site.ids.start // CYCLE_TOKENS), site.ids.stop // CYCLE_TOKENS)
        first, other = (cycle * CYCLE_TOKENS for cycle in site.rng.sample(cycles, 2))
        passage = list(range(first, first + self.passage_tokens))
        foreign = [token for token in site.fresh(2 * CYCLE_TOKENS) if token // CYCLE_TOKENS not in (first, other)]
        for place in site.rng.sample(range(16, self.passage_tokens), self.num_edits):
            passage[place] = foreign.pop()
        # The last token's successor begins the passage
        prompt = [*passage, foreign.pop(), first]
        others = [token for token in site.fresh(4 * CYCLE_TOKENS) if token // CYCLE_TOKENS != other // CYCLE_TOKENS]
        return prompt, [*others[: len(prompt) - 1], other]


def speeds_of(answer: Answer, plain: Answer) -> Figures:
    """Return the speeds of both after their first token, and what became of the guesses."""
    return {
        "plain_tokens_per_s": plain.decode_tokens_per_s,
        "tokens_per_s": answer.decode_tokens_per_s,
        "by_plain": answer.decode_tokens_per_s / max(plain.decode_tokens_per_s, 1e-9),
        "drafted_tokens": answer.num_drafted,
        "accepted_tokens": answer.num_accepted,
        "plain_drafted_tokens": plain.num_drafted,
        "plain_accepted_tokens": plain.num_accepted,
    }
