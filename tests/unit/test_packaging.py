"""What the distribution promises: names that are ours alone, locks that fit it, nothing that names an index."""

import json
import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "installer" / "lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("appliance", "models", "kernels", "tui")


def pinned(lock: str) -> set[str]:
    """Return the names that a lock fixes."""
    return set(re.findall(r"^([a-z0-9-]+)==\S+", (LOCKS / lock).read_text(), re.MULTILINE))


def required(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_owns_an_import_name_of_ours(name: str) -> None:
    # An editable install is listed under no import name; the wheel's is checked in an empty environment by tests/run.
    assert set(packages_distributions().get(name, [])) <= {"llm-appliance"}


def test_the_wheel_holds_our_four_packages_and_no_other() -> None:
    assert tuple(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES


def test_the_runtime_lock_holds_every_dependency_but_the_one_with_a_lock_of_its_own() -> None:
    dependencies = required(PROJECT["project"]["dependencies"])
    assert dependencies - {"llama-cpp-python"} <= pinned("runtime.txt")
    assert "llama-cpp-python" not in pinned("runtime.txt")


def test_what_llama_cpp_python_imports_is_in_the_runtime_lock() -> None:
    assert {"numpy", "typing-extensions", "diskcache", "jinja2"} <= pinned("runtime.txt")


def test_the_lock_of_llama_cpp_python_is_the_hash_of_its_source_and_nothing_else() -> None:
    (requirement,) = [line for line in PROJECT["project"]["dependencies"] if line.startswith("llama-cpp-python")]
    lines = (LOCKS / "llama-cpp.txt").read_text().splitlines()
    assert lines[0] == f"{requirement} \\"
    assert len(lines) == 2 and re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}", lines[1])


def test_the_build_lock_holds_what_both_builds_need() -> None:
    assert {"scikit-build-core", "cmake", "ninja", "hatchling", "pip"} <= pinned("build.txt")


def test_the_development_lock_is_the_runtime_lock_and_the_tools() -> None:
    assert required(PROJECT["dependency-groups"]["dev"]) <= pinned("dev.txt")
    runtime = set(re.findall(r"^[a-z0-9-]+==\S+", (LOCKS / "runtime.txt").read_text(), re.MULTILINE))
    development = set(re.findall(r"^[a-z0-9-]+==\S+", (LOCKS / "dev.txt").read_text(), re.MULTILINE))
    assert runtime <= development


@pytest.mark.parametrize(
    "lock", ["runtime.txt", "llama-cpp.txt", "build.txt", "dev.txt", "clients.txt", "clients-openai2.txt"]
)
def test_every_requirement_of_a_lock_is_exact_and_hashed_and_names_no_address(lock: str) -> None:
    text = (LOCKS / lock).read_text()
    assert "://" not in text and "--index" not in text and "file:" not in text
    for entry in re.split(r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE).strip()):
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_lock_of_the_packages_of_npm_names_no_address() -> None:
    packages = json.loads((ROOT / "tests" / "clients" / "node" / "package-lock.json").read_text())["packages"]
    fetched = [package for name, package in packages.items() if name]
    assert all("integrity" in package and "resolved" not in package for package in fetched)


@pytest.mark.parametrize("script", ["installer/install.sh", "installer/uninstall.sh", "tests/run", ".ci/run"])
def test_a_script_can_be_run_as_it_stands(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111 == 0o111


def test_ci_calls_exactly_what_a_person_calls() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[-1] == "exec sh tests/run"


def test_tests_run_explains_a_wrong_argument() -> None:
    done = subprocess.run(["sh", ROOT / "tests" / "run", "everything"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "usage: sh tests/run [full]" in done.stderr
