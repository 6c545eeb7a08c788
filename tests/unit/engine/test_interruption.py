"""When a step ends early, and for whom."""

import pytest

from appliance.backends.base import StepAborted
from appliance.engine.interruption import Interruption, is_interrupted

INTERACTIVE, NORMAL, BATCH = 0, 1, 2


class Model:
    """Counts the wishes to end its step."""

    def __init__(self) -> None:
        self.num_wishes = 0
        self.interruption = Interruption(self.abort)

    def abort(self) -> None:
        self.num_wishes += 1

    def step(self, *arrivals: int, serves: tuple[int, ...]) -> bool:
        """Take a step while requests come; return whether it was ended."""
        before = self.num_wishes
        try:
            with self.interruption.step(serves):
                for class_rank in arrivals:
                    self.interruption.on_arrival(class_rank)
                if self.num_wishes > before:
                    raise StepAborted
        except StepAborted:
            return True
        return False


def test_a_step_ends_for_a_class_before_all_that_it_serves() -> None:
    assert is_interrupted({BATCH}, NORMAL, None)
    assert is_interrupted({NORMAL, BATCH}, INTERACTIVE, None)
    assert not is_interrupted({NORMAL, BATCH}, NORMAL, None)
    assert not is_interrupted({BATCH}, BATCH, None)
    assert not is_interrupted({INTERACTIVE}, BATCH, None)


def test_whose_step_was_ended_has_the_next_one_to_its_end() -> None:
    assert not is_interrupted({BATCH}, NORMAL, ended_rank=BATCH)
    assert not is_interrupted({BATCH}, NORMAL, ended_rank=NORMAL)
    assert is_interrupted({NORMAL}, INTERACTIVE, ended_rank=BATCH)


def test_a_class_can_be_interrupted_again_once_it_has_computed_something() -> None:
    model = Model()
    assert model.step(NORMAL, serves=(BATCH,))
    assert not model.step(NORMAL, serves=(BATCH,))
    assert model.step(NORMAL, serves=(BATCH,))
    assert not model.step(serves=(NORMAL, BATCH))
    assert model.step(NORMAL, serves=(BATCH,))


def test_steps_of_others_do_not_pay_what_a_class_is_owed() -> None:
    model = Model()
    assert model.step(NORMAL, serves=(BATCH,))
    assert not model.step(serves=(NORMAL,))
    assert not model.step(NORMAL, serves=(BATCH,))


def test_a_newcomer_between_two_steps_goes_before_the_second() -> None:
    model = Model()
    model.interruption.on_arrival(BATCH)
    model.interruption.on_arrival(NORMAL)
    with pytest.raises(StepAborted), model.interruption.step({BATCH}):
        pytest.fail("somebody else should go")
    assert model.num_wishes == 0
    assert not model.step(serves=(BATCH,))


def test_a_newcomer_is_not_remembered_longer_than_to_the_next_step() -> None:
    model = Model()
    assert not model.step(NORMAL, serves=(NORMAL,))
    assert not model.step(serves=(NORMAL,))
    assert not model.step(serves=(BATCH,))


def test_a_step_that_failed_leaves_nothing_to_end() -> None:
    model = Model()
    with pytest.raises(MemoryError), model.interruption.step({BATCH}):
        raise MemoryError
    model.interruption.on_arrival(NORMAL)
    assert model.num_wishes == 0
