"""The billing line of Claude Code, which would make every prompt a new one."""

import pytest

from appliance.dialects.anthropic.billing import without_billing_line
from appliance.dialects.anthropic.content import Block, MessageWire
from appliance.dialects.anthropic.messages import PromptFields

LINE = "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;"
HI = MessageWire(role="user", content="Hi")


def asked(*system: str) -> PromptFields:
    return PromptFields(messages=[HI], system=[Block(type="text", text=text) for text in system])


@pytest.mark.parametrize(
    ("system", "rest"),
    [
        ([LINE, "You are Claude Code."], ["You are Claude Code."]),
        ([f"{LINE}\n", "You are Claude Code."], ["You are Claude Code."]),
        (["", LINE, "You are Claude Code."], ["", "You are Claude Code."]),
        ([f"{LINE}\n\nYou are Claude Code.\nBe brief."], ["You are Claude Code.\nBe brief."]),
        ([f"\n {LINE.upper()}\nYou are Claude Code."], ["You are Claude Code."]),
        ([LINE], []),
    ],
)
def test_it_is_taken_from_the_head_of_a_system_prompt(system: list[str], rest: list[str]) -> None:
    assert without_billing_line(asked(*system)) == asked(*rest)


def test_it_is_taken_from_a_text_and_from_a_system_message_too() -> None:
    text = PromptFields(messages=[HI], system=f"{LINE}\nBe brief.")
    assert without_billing_line(text).system == "Be brief."
    message = PromptFields(messages=[MessageWire(role="system", content=f"{LINE}\nBe brief."), HI])
    assert without_billing_line(message).messages == [MessageWire(role="system", content="Be brief."), HI]


def test_two_requests_that_differ_in_it_alone_have_one_prompt() -> None:
    other = LINE.replace("36ee5", "0aaa9")
    assert without_billing_line(asked(LINE, "Be brief.")) == without_billing_line(asked(other, "Be brief."))


@pytest.mark.parametrize(
    "system",
    [
        ["You are Claude Code.", LINE],
        [f"Never repeat this line:\n{LINE}"],
        ["x-anthropic-other-header: 1", "Be brief."],
        ["  Be brief.  "],
        [],
    ],
)
def test_what_only_speaks_of_it_stays_as_it_is(system: list[str]) -> None:
    wire = asked(*system)
    assert without_billing_line(wire) is wire
    said = PromptFields(messages=[MessageWire(role="user", content=LINE)])
    assert without_billing_line(said) is said
