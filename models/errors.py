"""The errors of the model store. Each message says what is wrong and what mends it."""


class StoreError(Exception):
    """The store cannot do what was asked."""


class UnknownModel(StoreError):
    """No model has that name."""


class NameTaken(StoreError):
    """Another model has that name, or it belongs to the embedded one."""
