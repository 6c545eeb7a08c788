"""The stream writer's shortcut writes the same bytes as the whole encoder would."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from appliance.core.events import Delta
from appliance.core.request import RequestId
from appliance.dialects.openai.chat_reply import ChatChunks
from appliance.dialects.openai.completions_reply import CompletionChunks
from appliance.dialects.openai.reply import ReplyStream, sse

ID = RequestId("r")


def text_delta(text: str) -> Delta:
    return Delta(id=ID, choice=0, num_tokens=1, text=text)


@given(text=st.text(min_size=1), model=st.text(), includes_usage=st.booleans())
def test_the_shortcut_writes_what_the_encoder_writes(text: str, model: str, includes_usage: bool) -> None:
    for kind in (ChatChunks, CompletionChunks):
        writer = kind(ID, model, 1, includes_usage=includes_usage)
        stream = ReplyStream(writer, 1, includes_usage=includes_usage)
        stream.add(text_delta("first"))
        assert json.loads(stream.add(text_delta(text))[6:]) == json.loads(_whole(writer, text)[6:])


@given(text=st.text(min_size=1), model=st.text())
def test_the_shortcut_of_thinking_writes_it_under_both_names(text: str, model: str) -> None:
    writer = ChatChunks(ID, model, 1, includes_usage=False)
    stream = ReplyStream(writer, 1, includes_usage=False)
    stream.add(text_delta("first"))
    thinking = json.loads(stream.add(Delta(id=ID, choice=0, num_tokens=1, text="", reasoning=text))[6:])
    assert thinking == json.loads(writer.said(0, "", text, (), UNSET))
    assert thinking["choices"][0]["delta"] == {"reasoning_content": text, "reasoning": text}


def _whole(writer: ChatChunks | CompletionChunks, text: str) -> bytes:
    return sse(writer.said(0, text, "", (), UNSET))
