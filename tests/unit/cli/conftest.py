"""The command line called in this process, against a fake daemon."""

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from appliance.cli.main import main
from tests.unit.cli.fake_daemon import FakeDaemon, serving


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """Return standard output, which is one JSON document."""
        return msgspec.json.decode(self.out)


Command = Callable[..., Result]


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    """A daemon that answers."""
    with serving() as daemon:
        yield daemon


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs a command in an empty home where no daemon answers."""

    def run(*argv: str, stdin: str = "", **environ: str) -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main(argv, {"APPLIANCE_HOME": str(tmp_path)} | environ)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    (tmp_path / "run").mkdir()
    # Port 9 is set aside for throwing away what comes: nobody listens there.
    (tmp_path / "run" / "daemon.json").write_text('{"url": "http://127.0.0.1:9", "pid": 1}')
    return run


@pytest.fixture
def appliance(run: Command, daemon: FakeDaemon) -> Command:
    """Return a function that runs a command where `daemon` answers."""
    return lambda *argv, **more: run(*argv, **({"APPLIANCE_URL": daemon.url} | more))
