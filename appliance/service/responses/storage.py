"""The table of responses and conversations, as the event loop uses it."""

from pathlib import Path

from appliance.service.table_thread import TableThread
from appliance.settings import ResponsesSettings

from .table import KeptTable


class ResponseStorage(TableThread[KeptTable]):
    """Owns the table of what is kept."""

    def __init__(self, path: Path, settings: ResponsesSettings) -> None:
        super().__init__("responses", lambda: KeptTable(path, settings))
