"""How a model that reads pictures is run: in a way that reads them, unless somebody names another."""

from pathlib import Path

from msgspec.structs import replace

from appliance.backends.asked import Form
from appliance.backends.select import best, select
from tests.fakes import machine
from tests.unit.backends.test_choice import LLAMA, TVM, VNNI, compiled
from tests.unit.backends.ways import QWEN, asked, form, measurement, now

FASTER_BLIND = {TVM: measurement(200.0, 200.0, 200.0), LLAMA: measurement(100.0, 100.0, 100.0)}


def seeing(form: Form) -> Form:
    artefact = replace(form.artefact, projector_path="/models/mmproj.gguf")
    return Form(model=form.model, artefact=artefact, details=form.details, loss_ratio=form.loss_ratio)


def test_pictures_are_not_given_up_for_speed(tmp_path: Path) -> None:
    blind = compiled(tmp_path, VNNI)
    assert select(asked(blind), now(VNNI, measured=FASTER_BLIND)).backend == "tvm"
    plan = select(asked(seeing(blind)), now(VNNI, measured=FASTER_BLIND))
    assert (plan.backend, plan.artefact.projector_path) == ("llama_cpp", "/models/mmproj.gguf")


def test_a_form_without_the_projector_does_not_stand_for_the_model(tmp_path: Path) -> None:
    smaller = form(replace(QWEN, weights_bytes=1), model="qwen3-small", digest="sha256:small")
    faster = {("sha256:small", "llama_cpp"): measurement(900.0, 900.0, 900.0), LLAMA: measurement(1.0, 1.0, 1.0)}
    machine_ = now(machine(usable_cores=2), measured=faster)
    assert select(asked(form(), smaller), machine_).artefact.digest == "sha256:small"
    assert select(asked(seeing(form()), smaller), machine_).artefact.digest == "sha256:gguf"


def test_whoever_names_a_way_gets_it(tmp_path: Path) -> None:
    assert select(asked(seeing(compiled(tmp_path, VNNI)), variant="tvm"), now(VNNI)).backend == "tvm"


def test_the_projector_counts_as_weights() -> None:
    def weights_bytes(projector_bytes: int | None) -> int:
        return best(asked(form(replace(QWEN, projector_bytes=projector_bytes))), now()).need.weights_bytes

    assert weights_bytes(10**9) - weights_bytes(None) == 10**9
