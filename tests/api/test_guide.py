"""The embedded model answers new wordings rightly, asked through the real daemon."""

from models.default.evaluate import PASS_RATIO, answers_of, appliance, report
from models.default.held_out import question_case, read_questions, read_topics
from tests.conftest import RealDaemon


def test_the_guide_is_right_in_most_of_the_questions_it_never_saw(real_daemon: RealDaemon) -> None:
    topics = read_topics()
    cases = [question_case(question, topics) for question in read_questions()]
    ratio, text = report(cases, answers_of(appliance(real_daemon.url, "guide"), cases))
    assert ratio >= PASS_RATIO, text
