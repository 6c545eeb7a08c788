"""Whose certificates are believed: those of the authorities that this machine trusts, and those of `notify.ca_file`."""

import ssl

from .states import DeliveryFailed


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return what checks a server's certificate and name. Reads files at every call: authorities are renewed.

    Raises: DeliveryFailed, where the file cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            # What the library says of a file without certificates helps nobody
            reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
            raise DeliveryFailed(f"notify.ca_file ({ca_file}) cannot be used: {reason}") from error
    return context


def not_trusted(host: str, error: ssl.SSLCertVerificationError) -> DeliveryFailed:
    """Return why nothing is said to a server that does not prove who it is. Another try may find it mended."""
    fault = error.verify_message.rstrip(".")
    return DeliveryFailed(
        f"the certificate of {host} is not trusted: {fault} (notify.ca_file names authorities of one's own)"
    )
