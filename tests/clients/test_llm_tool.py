"""llm: the command-line tool, set up by its file of models as its guide says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from said import A_LESSON, SAID_LESSON, Lesson, call

MODELS = """
- model_id: box
  model_name: echo
  api_base: {box}/v1
  supports_schema: true
  supports_tools: true
- model_id: noise
  model_name: random
  api_base: {box}/v1
  supports_schema: true
"""
TOOLS = '''
def get_weather(city: str, days: int) -> str:
    """Tell the weather."""
    return f"snow in {city} for {days} days"
'''


@pytest.fixture
def home(box: str, tmp_path: Path) -> Path:
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS.format(box=box))
    return tmp_path


def llm(home: Path, *arguments: str) -> str:
    environment = os.environ | {"LLM_USER_PATH": str(home), "OPENAI_API_KEY": "none"}
    done = subprocess.run(
        [sys.executable, "-m", "llm", *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("stream", [(), ("--no-stream",)])
def test_a_prompt(home: Path, stream: tuple[str, ...]) -> None:
    assert llm(home, "-m", "box", "-s", "Be brief.", "Good morning!", *stream) == "Good morning!"


def test_a_conversation(home: Path) -> None:
    assert llm(home, "-m", "box", "My name is Ada.") == "My name is Ada."
    assert llm(home, "-c", "Who am I?") == "Who am I?"
    logged = json.loads(llm(home, "logs", "--json", "-n", "2"))
    assert len({entry["conversation_id"] for entry in logged}) == 1
    assert logged[-1]["input_tokens"] != logged[0]["input_tokens"]


def test_a_schema(home: Path) -> None:
    schema = json.dumps(Lesson.model_json_schema())
    assert Lesson.model_validate_json(llm(home, "-m", "box", "--schema", schema, SAID_LESSON)) == A_LESSON
    assert json.loads(llm(home, "-m", "noise", "--schema", "age int, is_old bool", "A dog"))["age"] is not None


def test_a_tool(home: Path) -> None:
    said = call("get_weather", city="Oslo", days=2)
    assert "snow in Oslo for 2 days" in llm(home, "-m", "box", "--functions", TOOLS, said)
