"""The rules of the house that a machine can check. The direction of imports is import-linter's, beside this."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("appliance", "models", "kernels", "tui")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=name_of)
def test_a_file_is_one_sentence(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "say in the first line what this file owns"
    assert len(text.splitlines()) <= MAX_FILE_LINES


# A body of TensorIR is one function with all that it declares: house rule 11
@pytest.mark.parametrize("path", [p for p in sources(*PACKAGES) if p.parent.name != "operators"], ids=name_of)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    too_long = [f"{f.name}: {code_lines(f)} lines" for f in functions(path) if code_lines(f) > MAX_FUNCTION_LINES]
    assert not too_long


def test_no_backend_is_named_above_the_backends() -> None:
    names = re.compile(
        r"(?i:llama[_.]?cpp|onnxruntime(?!-genai)|\btvm\b)|(?<!\.)\bonnx\b"
    )  # ONNX is a format, as GGUF is
    above = [path for path in sources("appliance") if "backends" not in path.relative_to(ROOT).parts]
    named = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in above
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if names.search(line)
    ]
    assert not named


def test_only_the_command_line_reads_the_environment() -> None:
    reads = re.compile(r"os\.(environ(?!\.setdefault)|getenv)")  # a default is said to a native library, not read
    readers = [name_of(path) for path in sources("appliance") if reads.search(path.read_text())]
    assert all(name.startswith("appliance/cli/") for name in readers), readers


def test_no_type_is_imported_to_break_a_circle() -> None:
    assert not [name_of(path) for path in sources(*PACKAGES) if "TYPE_CHECKING" in path.read_text()]


def test_the_daemon_loads_neither_numpy_nor_a_library_that_runs_models() -> None:
    program = "import sys, appliance.app; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(result.stdout.split())
    assert not loaded & {"numpy", "llama_cpp", "onnxruntime", "tvm", "torch", "appliance.engine"}


def test_the_top_level_is_the_customers() -> None:
    wanted = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", *PACKAGES, "installer", "tests"}
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    found = {line.split("/")[0] for line in listed.splitlines()}
    assert {name for name in found if not name.startswith(".")} <= wanted
