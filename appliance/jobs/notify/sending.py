"""One try to deliver a notification, in the way of its kind."""

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec

from appliance.core.notify import Delivery, Target
from appliance.settings import NotifySettings

from .mail import mail_to, send_mail
from .places import AllowList
from .post import post
from .signing import signed_headers
from .states import DeliveryFailed


class Sender:
    """Knows the ways; keeps nothing. Whom it may tell is asked before every try: the settings may have changed."""

    def __init__(self, settings: NotifySettings, allowed: AllowList, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._allowed = allowed
        self._now = now

    def refusal(self, target: Target) -> str | None:
        """Return why a target cannot be told as the settings are, None when it can."""
        settings = self._settings
        if target.kind == "webhook" and settings.webhook_secret is None:
            return "webhooks are signed: set notify.webhook_secret to whsec_ and 32 random bytes in base64"
        if target.kind == "email" and (settings.smtp_host is None or settings.smtp_from is None):
            return "e-mail needs a server: set notify.smtp_host and notify.smtp_from"
        return self._allowed.refusal(target)

    async def send(self, delivery: Delivery) -> None:
        """Return once the target has it. Raises: DeliveryFailed."""
        target = delivery.target
        if refusal := self.refusal(target):
            raise DeliveryFailed(refusal, is_final=True)
        text = f"{delivery.subject}: {delivery.event}"
        if target.kind == "webhook":
            body = delivery.body.encode()
            signed = signed_headers(self._settings.webhook_secret or "", delivery.id, int(self._now()), body)
            await self._post(target.address, {"Content-Type": "application/json", **signed}, body)
        elif target.kind == "ntfy":
            headers = {"Title": delivery.event, "Content-Type": "text/plain", "webhook-id": delivery.id}
            await self._post(target.address, headers, text.encode())
        else:
            sender = self._settings.smtp_from or ""
            message = mail_to(target.address, sender, delivery.id, text, _mail_text(delivery), self._now())
            await asyncio.to_thread(send_mail, self._settings, message)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        await post(url, headers, body, self._allowed, self._settings.ca_file)


def _mail_text(delivery: Delivery) -> str:
    """Return what the mail says: what has ended and how, and no content."""
    return f"{delivery.subject} has ended ({delivery.event}).\n\nIts results can be read from the appliance.\n"


def news(event: str, timestamp: str, data: object) -> str:
    """Return the body of a webhook. Source: Standard Webhooks 1.0.0, "Payload structure"."""
    return msgspec.json.encode({"type": event, "timestamp": timestamp, "data": data}).decode()
