"""The signature of a webhook, by which its receiver knows who sent it. Pure.

Source: Standard Webhooks 1.0.0, "Signature scheme" (symmetric).
"""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def signed_headers(secret: str, id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers; the id is the same for every try, so that a receiver can drop what it has."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.digest(key, b"%s.%d.%s" % (id.encode(), timestamp_s, body), hashlib.sha256)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
