"""The store's errors as ours."""

from collections.abc import Generator
from contextlib import contextmanager

from appliance.errors import ApplianceError, Conflict, InvalidRequest, ModelNotFound
from models.errors import NameTaken, StoreError, UnknownModel
from models.names import InvalidModelName


@contextmanager
def store_errors() -> Generator[None, None, None]:
    """Turn the store's errors into ours."""
    try:
        yield
    except UnknownModel as error:
        raise ModelNotFound(str(error), param="model") from None
    except NameTaken as error:
        raise Conflict(str(error), param="name") from None
    except (StoreError, InvalidModelName) as error:
        raise InvalidRequest(str(error)) from None
    except OSError as error:
        raise ApplianceError(f"the store could not be changed: {error}") from error
