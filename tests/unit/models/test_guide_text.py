"""The text that the embedded model learns: bounded and seeded, and no command in it that does not exist."""

import re
import shlex
from importlib import import_module
from pathlib import Path
from random import Random

import pytest

from appliance.cli.main import _parser
from models.default.text import grammar, slots
from models.default.text.topic import Topic, draw
from models.names import ModelName

FOLDER = Path(slots.__file__).parent
MODULES = [import_module(f"models.default.text.{path.stem}") for path in sorted(FOLDER.glob("*.py"))]
TOPICS: list[Topic] = [topic for module in MODULES for topic in getattr(module, "TOPICS", ())]
ENGLISH = [topic for topic in TOPICS if topic.questions[0].isascii()]
COMMAND = re.compile(r"`([^`]+)`")
COMMANDS = sorted({command for topic in TOPICS for command in COMMAND.findall(topic.answer)})
DRAWS = 40


def label(topic: Topic) -> str:
    return f"{topic.intent}-{'en' if topic.questions[0].isascii() else 'zh'}"


@pytest.mark.parametrize("topic", TOPICS, ids=label)
def test_every_pattern_expands_and_nothing_of_its_notation_is_left(topic: Topic) -> None:
    for pattern in topic.questions:
        question = grammar.expand(pattern, Random(1))
        filled, answer = slots.fill(grammar.roughen(question, Random(1)), topic.answer, Random(1))

        assert filled, pattern
        assert not set("(|<{}") & set(filled), filled
        assert not set("{}") & set(answer), answer


@pytest.mark.parametrize("topic", TOPICS, ids=label)
def test_a_topic_is_asked_in_many_words_of_bounded_length(topic: Topic) -> None:
    random = Random(2)

    questions = {draw(topic, random)[0] for _ in range(DRAWS)}

    assert len(questions) > DRAWS / 2
    assert max(map(len, questions)) < 400


def test_the_same_seed_draws_the_same_text() -> None:
    def sample(seed: int) -> list[tuple[str, str]]:
        random = Random(seed)
        return [draw(topic, random) for topic in TOPICS]

    assert sample(3) == sample(3)
    assert sample(3) != sample(4)


@pytest.mark.parametrize("slot", slots.PLACEHOLDERS)
def test_a_value_stands_unaltered_in_the_question_and_in_the_answer(slot: str) -> None:
    topic = Topic("x", f"Run `{{{slot}}}`.", (f"please, load the thing {{{slot}}} immediately",))
    random = Random(4)
    values = set()

    for _ in range(DRAWS):
        question, answer = draw(topic, random)
        value = answer.removeprefix("Run `").removesuffix("`.")
        values.add(value)

        assert f" {value} " in question
        assert not set('"`$\n') & set(value)

    assert len(values) > DRAWS / 2
    assert slots.PLACEHOLDERS[slot] not in values - {"9000"}


def test_an_answer_whose_question_names_nothing_holds_a_placeholder() -> None:
    filled = slots.fill("load a model", "`models load {model}` and `--port {port}`", Random(5))

    assert filled == ("load a model", "`models load NAME` and `--port 9000`")


def test_an_unknown_slot_is_refused() -> None:
    with pytest.raises(KeyError):
        slots.fill("load {nothing}", "yes", Random(5))


@pytest.mark.parametrize("pattern", ["(a|b", "a)", "a(b))"])
def test_a_bracket_without_its_partner_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="bracket"):
        grammar.expand(pattern, Random(6))


def test_a_choice_yields_each_of_its_alternatives_and_only_those() -> None:
    random = Random(7)

    assert {grammar.expand("x (a|b (c|d)|) y", random) for _ in range(200)} == {"x a y", "x b c y", "x b d y", "x y"}


def test_noise_changes_the_words_but_no_slot() -> None:
    random = Random(8)
    text = "how do I put the {model} somewhere, it's urgent"

    rough = {grammar.roughen(text, random) for _ in range(300)}

    assert len(rough) > 50
    assert all("{model}" in one for one in rough)
    assert any("its urgent" in one.lower() for one in rough)


def test_the_names_of_models_are_valid_and_hardly_ever_the_same() -> None:
    random = Random(9)
    names = [slots.model_name(random) for _ in range(2000)]

    for name in names:
        ModelName.parse(name)
    assert len(set(names)) > 1700


def test_no_question_belongs_to_two_intents() -> None:
    random = Random(10)
    intents: dict[str, str] = {}
    for topic in ENGLISH:
        for _ in range(400):
            question = grammar.expand(random.choice(topic.questions), random).lower()
            assert intents.setdefault(question, topic.intent) == topic.intent, question


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_an_answer_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, filled = slots.fill("", command, Random(11))
    first, *arguments = shlex.split(filled.rpartition("| ")[2])

    if first == "appliance":
        try:
            _parser().parse_args(arguments)
        except SystemExit as stop:
            assert stop.code == 0, capsys.readouterr().err
    elif first == "sh":
        assert (FOLDER.parents[2] / arguments[0]).is_file()
    else:
        assert (first, arguments[0].startswith("http://127.0.0.1:8484/")) == ("curl", True)
