"""Which clients are on this machine."""

import shutil

from .client import Client, Places


def where(client: Client, places: Places) -> str | None:
    """Return the program or the folder that says that a client is installed, None where nothing does."""
    search = places.environ.get("PATH")
    for command in client.commands:
        if found := shutil.which(command, path=search):
            return found
    return next((str(folder) for folder in client.folders(places) if folder.exists()), None)
