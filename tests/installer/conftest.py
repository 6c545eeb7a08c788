"""What the installer's tests share."""

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, SOURCE_NAMES, Installation, Sandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox")


@pytest.fixture(scope="session")
def wheel() -> Path:
    if path := os.environ.get("APPLIANCE_TEST_WHEEL"):
        return Path(path).resolve()
    pytest.skip("APPLIANCE_TEST_WHEEL names no llama-cpp-python wheel (tests/run makes one)")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the source, so that an edit during the tests is not taken for a new version."""
    return copy_source(ROOT, tmp_path_factory.mktemp("source") / "checkout")


@pytest.fixture
def broken_source(source: Path, tmp_path: Path) -> Path:
    """Return the source of a version whose command fails at once."""
    broken = copy_source(source, tmp_path / "broken")
    (broken / "appliance" / "cli" / "main.py").write_text("def entry():\n    raise SystemExit('broken on purpose')\n")
    return broken


def copy_source(origin: Path, target: Path) -> Path:
    target.mkdir()
    for name in SOURCE_NAMES:
        if (origin / name).is_dir():
            shutil.copytree(origin / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin / name, target / name)
    return target


@pytest.fixture(scope="session")
def archive(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the source as the archive that a download would be, in one folder with a name and a version."""
    path = tmp_path_factory.mktemp("archive") / "appliance.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(source, "llm-appliance-0")
    return path


@pytest.fixture
def other_archive(tmp_path: Path) -> Path:
    """Return an archive that holds something else."""
    path = tmp_path / "other.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("other/file")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    return path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, source: Path, wheel: Path) -> Iterator[Installation]:
    """Install into a prefix, whose name has a space, without leaving a daemon running."""
    sandbox = Sandbox(tmp_path_factory.mktemp("installed") / "sandbox")
    code = sandbox.home / "my appliance"
    arguments = ("--prefix", code, "--wheel", wheel, "--no-start")
    done = sandbox.install(*arguments, root=source)
    assert done.returncode == 0, done.stdout
    yield Installation(sandbox, source, code, done.stdout, arguments)
    shutil.rmtree(code, ignore_errors=True)
