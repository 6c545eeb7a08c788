"""The command line, as a person types it beside a running daemon."""

import subprocess
import sys

from tests.conftest import RealDaemon, environment


def printed(daemon: RealDaemon, *arguments: str) -> str:
    """Return what `appliance` prints with these arguments."""
    program = "from appliance.cli.main import entry; entry()"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment(daemon.home), capture_output=True, text=True, check=True).stdout
