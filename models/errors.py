"""The errors of the model store. Each message says what is wrong and what mends it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(Exception):
    """The store cannot do what was asked."""


class UnknownModel(StoreError):
    """No model has that name."""


class NameTaken(StoreError):
    """Another model has that name, or it belongs to the embedded one."""


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Say in one sentence what the system refused with a model's file. Raises: StoreError."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename or path} does not exist") from None
    except PermissionError:
        raise StoreError(
            f"the appliance's user cannot read {path}; allow it with: chmod a+r '{path}' (and a+x on its folders), "
            "or add it with --copy"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
