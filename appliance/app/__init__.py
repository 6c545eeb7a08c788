"""The daemon as a whole: the only package that knows every layer."""

from .serve import serve

__all__ = ["serve"]
