from appliance.backends.echo_tokenizer import IM_END, EchoTokenizer
from appliance.core.events import ToolCallDelta
from appliance.core.request import Tool
from appliance.engine.answer import AnswerText, Spoken
from appliance.engine.chat.families import HERMES, LLAMA
from appliance.engine.chat.speech import Speech
from appliance.engine.chat.syntax import Family
from tests.unit.engine.chat.markers import MarkerTokenizer

CALL = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'


def speech(family: Family = HERMES, *, is_parallel: bool = True, **fields: object) -> Speech:
    values = {
        "family": family,
        "tools": (Tool(name="now"),),
        "is_parallel": is_parallel,
        "opening": "",
        "markers": {},
        "tools_grammar": None,
        "thinking_end": (),
        "max_thinking_tokens": None,
    } | fields
    return Speech(**values)  # type: ignore[arg-type]  # the values are a dict


def read(answer: AnswerText, text: str, tokenizer: EchoTokenizer | None = None) -> Spoken:
    """Feed the text token by token, up to where nothing more is wanted, and finish."""
    spoken = Spoken("")
    for token in (tokenizer or EchoTokenizer(512)).encode(text, parse_special=True, add_bos=False).tolist():
        if not answer.has_ended:
            spoken = spoken.followed_by(answer.feed(token))
    return spoken if answer.has_ended else spoken.followed_by(answer.finish())


def make(*stops: str, of: Speech | None = None) -> AnswerText:
    return AnswerText(EchoTokenizer(512), stops, of)


def test_without_a_chat_everything_is_said() -> None:
    assert read(make(), f"<think>{CALL}é") == Spoken(f"<think>{CALL}é")


def test_a_stop_string_ends_what_is_said_and_is_named() -> None:
    answer = make("nothing", "STOP")
    assert read(answer, "Hello STOP and more").text == "Hello "
    assert (answer.has_ended, answer.stop_string) == (True, "STOP")


def test_stop_strings_count_in_what_is_said_alone() -> None:
    answer = make("now", "Hm", of=speech())
    spoken = read(answer, f"<think>Hm. now</think>Well {CALL}")
    assert (spoken.text, spoken.reasoning, answer.stop_string) == ("Well", "Hm. now", None)
    assert [call.name for call in spoken.tool_calls if call.name] == ["now"]


def test_a_stop_string_does_not_reach_over_a_call() -> None:
    answer = make("AB", of=speech())
    assert read(answer, f"A{CALL}B").text == "AB"
    assert answer.stop_string is None


def test_what_began_like_a_stop_string_is_said_before_the_call() -> None:
    answer = make("AX", of=speech())
    deltas = [answer.feed(token) for token in f"A{CALL}".encode()]
    first_call = next(index for index, spoken in enumerate(deltas) if spoken.tool_calls)
    assert "".join(spoken.text for spoken in deltas[: first_call + 1]) == "A"


def test_thoughts_are_counted_in_tokens() -> None:
    answer = make(of=speech(opening="<think>"))
    assert answer.is_thinking
    read(answer, "Hm.</think>Yes.")
    assert (answer.reasoning_tokens, answer.is_thinking) == (len("Hm.</think>"), False)


def test_the_prompts_own_thinking_is_over_once_and_for_all() -> None:
    answer = make(of=speech(opening="<think>"))
    assert answer.is_in_prompts_thinking
    for token in b"Hm.</think>":
        answer.feed(token)
    assert not answer.is_in_prompts_thinking
    assert not make(of=speech()).is_in_prompts_thinking


def test_one_call_is_the_end_where_calls_are_not_parallel() -> None:
    answer = make(of=speech(is_parallel=False))
    spoken = read(answer, CALL + CALL)
    assert answer.has_ended
    assert answer.has_called
    assert {call.index for call in spoken.tool_calls} == {0}


def test_control_tokens_are_shown_to_the_parser_and_to_nobody_else() -> None:
    tokenizer = MarkerTokenizer(["<|python_tag|>", "<|other|>"])
    shown = speech(LLAMA, markers={262: b"<|python_tag|>"})
    answer = AnswerText(tokenizer, (), shown)
    spoken = read(answer, '<|python_tag|><|other|>{"name": "now", "parameters": {}}', tokenizer)
    assert spoken.text == ""
    assert [(call.index, call.name) for call in spoken.tool_calls if call.name] == [(0, "now")]


def test_a_character_that_is_never_finished_is_not_lost() -> None:
    answer = make(of=speech())
    assert answer.feed("é".encode()[0]).text == ""
    assert answer.finish().text == "\ufffd"
    assert IM_END in EchoTokenizer(512).eos_ids


def test_arguments_are_sent_in_pieces_with_one_id() -> None:
    spoken = read(make(of=speech()), CALL)
    first, *others = spoken.tool_calls
    assert first.id is not None
    assert all(call == ToolCallDelta(0, None, None, call.arguments) for call in others)
    assert "".join(call.arguments for call in spoken.tool_calls) == "{}"
