"""What a model that was made of another says before every conversation."""

from appliance.core.request import ChatPrompt, Message, TextPrompt
from appliance.service.presets import with_preset
from models.manifest import ModelPreset, PresetMessage

PRESET = ModelPreset(system="Be Mario.", messages=(PresetMessage(role="user", content="Who?"),))
HI = Message(role="user", content="Hi")


def said(*messages: Message) -> list[tuple[str, str]]:
    prompt = with_preset(ChatPrompt(messages=messages), PRESET)
    assert isinstance(prompt, ChatPrompt)
    return [(message.role, message.content) for message in prompt.messages]


def test_a_conversation_begins_as_the_models_maker_says() -> None:
    assert said(HI) == [("system", "Be Mario."), ("user", "Who?"), ("user", "Hi")]


def test_a_system_message_of_the_caller_takes_the_place_of_the_makers() -> None:
    own = Message(role="system", content="Be Luigi.")
    assert said(own, HI) == [("system", "Be Luigi."), ("user", "Who?"), ("user", "Hi")]


def test_the_makers_turns_are_said_once() -> None:
    prompt = with_preset(ChatPrompt(messages=(HI,)), PRESET, has_begun=True)
    assert isinstance(prompt, ChatPrompt)
    assert [message.content for message in prompt.messages] == ["Be Mario.", "Hi"]


def test_what_is_no_conversation_stays_as_it_is() -> None:
    text = TextPrompt(text="Hi")
    assert with_preset(text, PRESET) is text
    prompt = ChatPrompt(messages=(HI,))
    assert with_preset(prompt, None) is prompt
    assert with_preset(prompt, ModelPreset(parameters={"seed": 1})) == prompt
