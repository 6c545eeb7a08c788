"""Each caller's account of tokens, by which callers of one class take turns. No clock, no queue.

Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996: a request starts at the virtual time or
where the caller's last one ended, whichever is later, and ends its cost divided by the caller's weight later.
The virtual time is the least account of those who have work, as in Y. Sheng et al., "Fairness in Serving Large
Language Models", OSDI 2024, and not the start of the request served last: costs are estimates here, and one caller's
overestimate would set back whoever comes next.
"""

from appliance.core.request import (
    ChatPrompt,
    FillPrompt,
    GenerateRequest,
    Media,
    MediaAddress,
    Prompt,
    Request,
    TextPair,
    TextPrompt,
    TranscribeRequest,
)

BYTES_PER_TOKEN = 4
DEFAULT_OUTPUT_TOKENS = 256
"""What a choice without `max_tokens` is taken to write, until it has ended."""

BYTES_PER_SOUND_TOKEN = 160
"""Of a compressed recording, 64 kbit/s at 50 positions a second; the worker says how long it really is."""

TOKENS_PER_PICTURE = 512.0
"""Between the 256 of Gemma 3 and the 576 of LLaVA; others look closer at larger ones."""

MAX_DEBTS = 1024
"""Callers without work whose use is remembered."""

MIN_WEIGHT = 0.01


class Shares:
    """What each caller has used, in tokens divided by its weight, for as long as it matters."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}
        self._num_open: dict[str, int] = {}
        self._virtual_tokens = 0.0

    def used(self, caller: str) -> float:
        """Return where the caller's next request starts if nothing of it runs."""
        if caller in self._num_open:
            return self._used[caller]
        return max(self._used.get(caller, 0.0), self._now())

    def enter(self, caller: str) -> None:
        """Note a request of the caller. One that had no work starts level with those who have; idling saves nothing."""
        if caller not in self._num_open:
            self._virtual_tokens = self._now()
            self._used[caller] = self.used(caller)
            self._num_open[caller] = 0
            self._forget()
        self._num_open[caller] += 1

    def leave(self, caller: str, weight: float, used_tokens: float) -> None:
        """Note the end of a request, whether it ran or not, with what it really used."""
        self._used[caller] += used_tokens / weight
        self._num_open[caller] -= 1
        if self._num_open[caller] == 0:
            del self._num_open[caller]
        if not self._num_open:
            self._virtual_tokens = max(self._used.values())
            self._used.clear()

    @property
    def num_accounts(self) -> int:
        """Return how many callers are remembered."""
        return len(self._used)

    def _now(self) -> float:
        return max(self._virtual_tokens, min((self._used[c] for c in self._num_open), default=0.0))

    def _forget(self) -> None:
        debts = sorted((used, caller) for caller, used in self._used.items() if caller not in self._num_open)
        num_excess = len(debts) - MAX_DEBTS
        for number, (used, caller) in enumerate(debts):
            if used <= self._virtual_tokens or number < num_excess:
                del self._used[caller]


def estimate_tokens(request: Request) -> float:
    """Return what a request will use, as far as can be told before it is tokenized."""
    if isinstance(request, GenerateRequest):
        output_tokens = DEFAULT_OUTPUT_TOKENS if request.stop.max_tokens is None else request.stop.max_tokens
        return len(request.context) + _prompt_tokens(request.prompt) + request.num_choices * output_tokens
    if isinstance(request, TranscribeRequest):
        return len(request.audio) / BYTES_PER_SOUND_TOKEN
    return sum(_prompt_tokens(item) for item in request.inputs)


def _prompt_tokens(prompt: Prompt | TextPair) -> float:
    media_tokens = 0.0
    if isinstance(prompt, ChatPrompt):
        texts = [message.content for message in prompt.messages]
        media_tokens = sum(_medium_tokens(each) for message in prompt.messages for each in message.media)
    elif isinstance(prompt, TextPrompt):
        texts = [prompt.text]
    elif isinstance(prompt, TextPair):
        texts = [prompt.first, prompt.second]
    elif isinstance(prompt, FillPrompt):
        texts = [prompt.prefix, prompt.suffix]
    else:
        return len(prompt.tokens)
    return 1 + media_tokens + sum(len(text.encode("utf-8", "replace")) for text in texts) / BYTES_PER_TOKEN


def _medium_tokens(medium: Media | MediaAddress) -> float:
    if isinstance(medium, MediaAddress) or medium.kind == "image":
        return TOKENS_PER_PICTURE
    return len(medium.data) / BYTES_PER_SOUND_TOKEN
