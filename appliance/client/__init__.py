"""Typed HTTP client of the daemon's API, for the command line, the terminal UI and tests. Reads no environment."""

from .chat import ChatCall, ChatEnd, ChatPart, ChatThought, ChatUsage
from .client import Client
from .transport import DEFAULT_URL, READ_TIMEOUT_S, ClientError, NoDaemon

__all__ = [
    "DEFAULT_URL",
    "READ_TIMEOUT_S",
    "ChatCall",
    "ChatEnd",
    "ChatPart",
    "ChatThought",
    "ChatUsage",
    "Client",
    "ClientError",
    "NoDaemon",
]
