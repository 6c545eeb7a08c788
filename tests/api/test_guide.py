"""The embedded model answers new wordings rightly, asked through the real daemon."""

from models.default.evaluate import PASS_RATIO, answers_of, appliance, command_ratio, report
from models.default.held_out import question_case, read_questions, read_topics
from tests.conftest import RealDaemon

LEAST_OF_ALL_RATIO = 0.75
"""With talk and what it cannot know it is right four times of five, and a few answers more or less are chance."""


def test_the_guide_is_right_in_most_of_the_questions_it_never_saw(real_daemon: RealDaemon) -> None:
    topics = read_topics()
    cases = [question_case(question, topics) for question in read_questions()]
    answers = answers_of(appliance(real_daemon.url, "guide"), cases)
    ratio, text = report(cases, answers)
    assert command_ratio(cases, answers) >= PASS_RATIO, text
    assert ratio >= LEAST_OF_ALL_RATIO, text
