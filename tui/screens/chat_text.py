"""What was said, as it is painted: light Markdown, thoughts, calls, figures. A model's text is never markup. Pure."""

import re
from collections.abc import Iterator

from textual.content import Content

from appliance.core.units import format_seconds
from appliance.words import tr

from .chat_talk import Figures, Turn

CODE = "$secondary"
MUTED = "$foreground 60%"
_FENCE = re.compile(r"\s*(```|~~~)")
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
_QUOTE = re.compile(r"\s*>\s?(.*)")
_RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*")
_SPAN = re.compile(r"(?P<code>`[^`]+`)|\*\*(?P<bold>\S[^*]*)\*\*|(?<![\w*])\*(?P<italic>[^\s*][^*]*)\*(?![\w*])")


def painted(
    turn: Turn, model: str, *, shows_thoughts: bool = False, is_plain: bool = False, is_narrow: bool = False
) -> Content:
    """Return a turn with its name above and its figures below."""
    parts = [_name(turn, model)]
    parts += [Content.styled(f"▣ {picture.name}", MUTED) for picture in turn.pictures]
    if turn.reasoning:
        parts.append(_thoughts(turn.reasoning, is_open=shows_thoughts or not (turn.text or turn.calls)))
    if turn.text:
        is_said = turn.role != "assistant" or is_plain
        parts.append(Content(turn.text.strip("\n")) if is_said else markdown(turn.text))
    parts += [Content.styled(f"→ {call.name}({call.arguments})", "$accent") for call in turn.calls]
    if turn.problem:
        parts.append(Content.styled(f"✕ {turn.problem}", "$error"))
    if turn.is_stopped:
        parts.append(Content.styled(tr("stopped"), MUTED))
    if turn.figures is not None:
        parts.append(Content.styled(figures(turn.figures, is_narrow=is_narrow), MUTED))
    return Content("\n").join(parts)


def markdown(text: str) -> Content:
    """Return Markdown as text in which one sees what it means, line for line."""
    return Content("\n").join(_lines(text.strip("\n")))


def figures(of: Figures, *, is_narrow: bool = False) -> str:
    """Return what an answer took, in one line or, where there is little room, in two."""
    parts = []
    if of.is_from_cache:
        parts.append(tr("from the cache"))
    if of.first_s is not None:
        parts.append(tr("first token {time}", time=format_seconds(of.first_s)))
    if of.tokens_per_s is not None:
        parts.append(tr("{rate} tokens/s", rate=f"{of.tokens_per_s:.1f}"))
    if of.prompt_tokens is not None:
        parts.append(tr("{number} in ({cached} cached)", number=of.prompt_tokens, cached=of.cached_tokens))
        parts.append(tr("{number} out", number=of.completion_tokens))
    if of.finish_reason == "length":
        parts.append(tr("cut off at its longest"))
    lines = [parts[:2], parts[2:]] if is_narrow else [parts]
    return "\n".join(" · ".join(line) for line in lines if line)


def _name(turn: Turn, model: str) -> Content:
    if turn.role == "assistant":
        return Content.styled(model, "bold $primary")
    return Content.styled(tr("You") if turn.role == "user" else tr("Result of the tool"), "bold")


def _thoughts(text: str, *, is_open: bool) -> Content:
    title = tr("thoughts ({number} words)", number=len(text.split()))
    head = Content.styled(f"{'▾' if is_open else '▸'} {title}", MUTED).stylize("@click=screen.thoughts")
    if not is_open:
        return head
    return Content("\n").join([head, Content.styled(text.strip(), f"italic {MUTED}")])


def _lines(text: str) -> Iterator[Content]:
    is_code = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            is_code = not is_code
            yield Content.styled(line, MUTED)
        elif is_code:
            yield Content.styled(line, CODE)
        else:
            yield _line(line)


def _line(line: str) -> Content:
    if heading := _HEADING.fullmatch(line):
        return Content.styled(heading[1], "bold")
    if _RULE.fullmatch(line):
        return Content.styled("─" * 20, MUTED)
    if bullet := _BULLET.fullmatch(line):
        return Content.assemble(f"{bullet[1]}• ", _spans(bullet[2]))
    if quote := _QUOTE.fullmatch(line):
        return Content.assemble(("▏ ", MUTED), _spans(quote[1]).stylize("italic"))
    return _spans(line)


def _spans(text: str) -> Content:
    if "`" not in text and "*" not in text:
        return Content(text)
    parts: list[Content | tuple[str, str]] = []
    end = 0
    for found in _SPAN.finditer(text):
        parts.append(Content(text[end : found.start()]))
        end = found.end()
        if found["code"]:
            parts.append((found["code"], CODE))
        else:
            parts.append((found["bold"] or found["italic"], "bold" if found["bold"] else "italic"))
    return Content.assemble(*parts, Content(text[end:]))
