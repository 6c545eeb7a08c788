"""The two files that a batch writes: answers and errors, a line for each request, whole even after a power cut."""

import os
import threading
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

import msgspec

SYNC_EVERY_S = 1.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an output file, as OpenAI's batches have it."""

    id: str
    custom_id: str
    response: "Response | None"
    error: "Problem | None" = None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered, with its HTTP status."""

    status_code: int
    request_id: str
    body: msgspec.Raw


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer at all."""

    code: str
    message: str


class _Done(msgspec.Struct):
    custom_id: str


class ResultFiles:
    """Appends to both files of a folder. What an earlier process wrote counts, but for a last line that is not whole.

    `answered` and `refused` are the `custom_id`s with a line. Any thread may add.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.answered = _recover(output_path(folder))
        self.refused = _recover(error_path(folder)) - self.answered
        self._streams: Mapping[bool, FileIO] = {
            # Without a buffer: what is written outlives this process, if not the machine
            True: output_path(folder).open("ab", buffering=0),
            False: error_path(folder).open("ab", buffering=0),
        }
        self._guard = threading.Lock()
        self._synced_s = time.monotonic()

    def add(self, result: Result) -> None:
        """Append one line; it outlives this process, and after a second or at `close` the power, too."""
        is_answer = result.response is not None and result.response.status_code < 400
        line = msgspec.json.encode(result) + b"\n"
        with self._guard:
            self._streams[is_answer].write(line)
            (self.answered if is_answer else self.refused).add(result.custom_id)
            if time.monotonic() - self._synced_s > SYNC_EVERY_S:
                self._sync()

    def close(self) -> None:
        """Bring everything to the disk."""
        with self._guard:
            self._sync()
            for stream in self._streams.values():
                stream.close()

    def _sync(self) -> None:
        for stream in self._streams.values():
            os.fsync(stream.fileno())
        self._synced_s = time.monotonic()


def output_path(folder: Path) -> Path:
    """Return where the answers are."""
    return folder / "output.jsonl"


def error_path(folder: Path) -> Path:
    """Return where the errors are."""
    return folder / "errors.jsonl"


def _recover(path: Path) -> set[str]:
    """Return whose lines are whole, and cut off what is not."""
    if not path.exists():
        return set()
    done: set[str] = set()
    end = 0
    with path.open("rb+") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            try:
                done.add(msgspec.json.decode(line, type=_Done).custom_id)
            except msgspec.MsgspecError:
                break
            end += len(line)
        stream.truncate(end)
    return done
