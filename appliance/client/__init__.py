"""Typed HTTP client of the daemon's API, for the command line, the terminal UI and tests. Reads no environment."""

from .chat import ChatEnd, ChatUsage
from .client import Client
from .transport import DEFAULT_URL, READ_TIMEOUT_S, ClientError, NoDaemon

__all__ = ["DEFAULT_URL", "READ_TIMEOUT_S", "ChatEnd", "ChatUsage", "Client", "ClientError", "NoDaemon"]
