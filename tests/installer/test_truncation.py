"""A script that arrives cut off does nothing at all."""

from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, Sandbox

NUM_CUTS = 20
ENDING = len('{ main "$@"; exit; }\n')


def cuts(script: bytes) -> list[int]:
    """Return lengths all over the file, and every one within its last line, where the call stands."""
    spread = [len(script) * part // (NUM_CUTS + 1) for part in range(1, NUM_CUTS + 1)]
    return [*spread, *range(len(script) - ENDING, len(script) - 1)]


@pytest.mark.parametrize("name", ["install.sh", "uninstall.sh"])
def test_a_truncated_script_does_nothing(sandbox: Sandbox, name: str) -> None:
    script = (ROOT / "installer" / name).read_bytes()
    assert script.endswith(b'{ main "$@"; exit; }\n')
    code = sandbox.home / "code"
    before = files(sandbox.folder)
    for length in cuts(script):
        done = sandbox.run("sh", "-s", "--", "--yes", "--prefix", code, stdin=script[:length])
        assert "[1/7]" not in done.stdout and "installation" not in done.stdout, f"{length} bytes: {done.stdout}"
        assert files(sandbox.folder) == before, f"{length} bytes left something behind"


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))
