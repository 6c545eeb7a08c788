"""Exit codes, and the one sentence and code that each error ends a command with."""

from appliance.words import tr

DONE = 0
FAILED = 1
WRONG_USAGE = 2
NO_DAEMON = 3
REFUSED = 4
TRY_LATER = 75
INTERRUPTED = 130

HELP = """\
exit codes:
  0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 refused, 75 try again later"""


class CommandError(Exception):
    """A command cannot go on; `code` is what it exits with."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def explain(error: Exception) -> tuple[str, int]:
    """Return what to tell the person, and the exit code."""
    # Imported here: a command that went well may never have needed them.
    from appliance.client import ClientError, NoDaemon
    from appliance.errors import ApplianceError
    from appliance.settings import SettingsError

    if isinstance(error, CommandError):
        return error.message, error.code
    if isinstance(error, NoDaemon):
        return tr("{problem}; start one with 'appliance serve'", problem=error.message), NO_DAEMON
    if isinstance(error, ClientError | ApplianceError):
        return error.message, from_status(error.status, error.code)
    if isinstance(error, SettingsError):
        return str(error), WRONG_USAGE
    if isinstance(error, OSError) and error.strerror:
        return (f"{error.filename}: " if error.filename else "") + error.strerror, FAILED
    details = f"{type(error).__name__}: {error}".rstrip(": ")
    message = tr("something unexpected happened ({details}); run it again with --debug to see where", details=details)
    return message, FAILED


def from_status(status: int | None, code: str | None) -> int:
    """Return the exit code for an answer of the daemon. What does not fit will not fit later either."""
    if code == "does_not_fit":
        return REFUSED
    if status in (429, 503):
        return TRY_LATER
    return REFUSED if status is not None and 400 <= status < 500 else FAILED
