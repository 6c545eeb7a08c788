"""Which version of a distribution is installed, without importing it."""

from importlib.metadata import PackageNotFoundError, version


def installed_version(distribution: str) -> str | None:
    """Return the version, None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
