"""The same schema on every backend, with models of random weights and with one that can write: all of it is valid."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

import models.default
from appliance.backends import loading
from appliance.core.events import Delta, Failed
from appliance.core.plan import LoadPlan
from appliance.core.request import ChatPrompt, GenerateRequest, JsonSchema, Message, RequestId
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.engine.engine import Engine
from appliance.engine.prompt import Arrival, PromptReader
from tests.onnx_shapes import write_decoder
from tests.shapes import write_shape
from tests.unit.backends.plans import plan_of

NUM_ANSWERS = 12
SCHEMA = {
    "$defs": {"tag": {"enum": ["red", "green", "größe", None]}},
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "born": {"type": "string", "format": "date"},
        "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
        "note": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 10}]},
    },
    "required": ["name", "age", "born", "code", "tags", "note"],
    "additionalProperties": False,
}


def echo_plan(folder: Path) -> LoadPlan:
    return plan_of("echo", "echo", "echo:")


def gguf_plan(folder: Path) -> LoadPlan:
    write_shape(folder / "tiny.gguf")
    return plan_of("llama_cpp", "gguf", str(folder / "tiny.gguf"))


def onnx_plan(folder: Path) -> LoadPlan:
    graph = write_decoder(folder / "model")
    return plan_of("onnx", "onnx", str(graph), compiled_path=str(folder / "compiled"))


def guide_plan(folder: Path) -> LoadPlan:
    return plan_of("llama_cpp", "gguf", str(Path(models.default.__file__).with_name("guide.gguf")))


def asking(number: int) -> GenerateRequest:
    return GenerateRequest(
        id=RequestId(f"r{number}"),
        model="m",
        prompt=ChatPrompt(messages=(Message(role="user", content="Describe a person as JSON"),)),
        constraint=JsonSchema(schema=SCHEMA, param="response_format"),
        sampling=SamplingParams(temperature=1.0, seed=number),
        stop=StopConditions(max_tokens=700),
    )


@pytest.mark.parametrize("make_plan", [echo_plan, gguf_plan, onnx_plan, guide_plan], ids=lambda make: make.__name__)
def test_any_model_answers_what_the_schema_says(make_plan: Callable[[Path], LoadPlan], tmp_path: Path) -> None:
    plan = replace(make_plan(tmp_path), context_tokens=1024, kv_capacity_tokens=4096)
    model = loading.open_backend(plan.backend).load(plan, lambda ratio: None)
    tokenizer = loading.open_tokenizer(plan.artefact)
    engine = Engine(model, tokenizer, 0.1, time.monotonic)
    reader = PromptReader(tokenizer, model.traits.max_context_tokens)
    for number in range(NUM_ANSWERS):
        assert not engine.start(reader.prepare(asking(number), Arrival()))
    texts = dict.fromkeys((f"r{number}" for number in range(NUM_ANSWERS)), "")
    while engine.has_work:
        for event in engine.step():
            assert not isinstance(event, Failed), event
            if isinstance(event, Delta):
                texts[event.id] += event.text
        engine.check_integrity()
    for text in texts.values():
        jsonschema.validate(json.loads(text), SCHEMA)
    assert len(set(texts.values())) > NUM_ANSWERS / 2
    engine.close()
    model.close()
