"""One e-mail through the operator's server. Every call waits for the network."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from appliance.settings import NotifySettings

from .states import DeliveryFailed
from .trust import not_trusted, trusting

TIMEOUT_S = 30.0


def send_mail(settings: NotifySettings, message: EmailMessage) -> None:
    """Return once the server has taken the message. Raises: DeliveryFailed."""
    host = settings.smtp_host or ""
    try:
        with _server(settings, host) as server:
            if settings.smtp_user is not None:
                server.login(settings.smtp_user, settings.smtp_password or "")
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        reason = f"{host} does not take mail for this address ({', '.join(map(str, codes))})"
        raise DeliveryFailed(reason, is_final=all(code >= 500 for code in codes)) from None
    except smtplib.SMTPResponseException as error:
        raise DeliveryFailed(f"{host} refused the mail with code {error.smtp_code}") from None
    except ssl.SSLCertVerificationError as error:
        raise not_trusted(host, error) from error
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(f"{host} could not be used: {error or type(error).__name__}") from None


def mail_to(address: str, sender: str, id: str, subject: str, text: str, now_s: float) -> EmailMessage:
    """Return the message; its id is the same for every try, so that mailboxes can drop what they have."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = subject
    message["Date"] = formatdate(now_s)
    message["Message-ID"] = f"<{id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _server(settings: NotifySettings, host: str) -> smtplib.SMTP:
    # The library would look its own name up in DNS, which takes half a minute where nobody answers
    own_name = socket.gethostname()
    if settings.smtp_security == "tls":
        context = trusting(settings.ca_file)
        return smtplib.SMTP_SSL(host, settings.smtp_port, own_name, timeout=TIMEOUT_S, context=context)
    server = smtplib.SMTP(host, settings.smtp_port, own_name, timeout=TIMEOUT_S)
    if settings.smtp_security == "starttls":
        try:
            server.starttls(context=trusting(settings.ca_file))
        except BaseException:
            server.close()
            raise
    return server
