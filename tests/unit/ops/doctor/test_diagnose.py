"""All checks together, and what happens when one of them fails."""

from appliance.core.doctor import Finding
from appliance.ops.doctor.diagnose import CHECKS, diagnose
from appliance.ops.doctor.facts import ClockFacts, Facts, HomeFacts
from tests.unit.ops.doctor.machines import HOME, healthy


def test_a_healthy_machine_has_nothing_wrong_and_much_that_is_fine() -> None:
    diagnosis = diagnose(healthy())

    assert diagnosis.worst == "ok"
    assert {finding.state for finding in diagnosis.findings} == {"ok"}
    assert len(diagnosis.findings) > 10


def test_a_machine_of_which_nothing_is_known_is_not_called_broken() -> None:
    unknown = Facts(version="1.0", python="3.11.7", executable="python", is_root=False)

    assert diagnose(unknown).worst == "note"


def test_the_worst_comes_first() -> None:
    facts = healthy(home=HomeFacts(path=HOME, settings_problem="line 3"), clock=ClockFacts(now_s=0.0, installed_s=1e9))
    states = [finding.state for finding in diagnose(facts).findings]

    assert states[:2] == ["error", "error"] and set(states[2:]) == {"ok"}
    assert diagnose(facts).worst == "error"


def test_a_check_that_fails_is_a_finding_and_hides_no_other() -> None:
    def broken(facts: Facts) -> Finding:
        raise ZeroDivisionError("by nothing")

    diagnosis = diagnose(healthy(), [broken, *CHECKS])

    assert diagnosis.worst == "note"
    assert "could not be checked" in diagnosis.findings[0].title
    assert diagnosis.findings[0].reason == "ZeroDivisionError: by nothing"
    assert len(diagnosis.findings) == len(diagnose(healthy()).findings) + 1


def test_what_could_not_be_looked_at_is_said() -> None:
    finding = diagnose(healthy(failures=(("the models", "Permission denied"),))).findings[0]

    assert (finding.title, finding.reason) == ("the models could not be checked", "Permission denied")
