"""The one error of this package."""


class NotConvertible(ValueError):
    """The folder cannot become a GGUF file that does the same; the message says why."""
