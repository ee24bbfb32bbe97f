"""I/O: sends an e-mail through the SMTP server that the settings name."""

import contextlib
import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from alerts.sending.errors import NotSent
from alerts.sending.rendering import Mail

REFUSALS = (
    smtplib.SMTPSenderRefused,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPDataError,
    smtplib.SMTPNotSupportedError,
)


def send(mail: Mail, to: str, message_id: str) -> None:
    """Send a mail to one address; sent again, it has the same Message-ID. Raises NotSent."""
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"the mail server takes no mail: {_said(error)}", is_certain=True) from error
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    message = EmailMultiAlternatives(
        mail.subject,
        mail.text,
        to=[to],
        connection=connection,
        headers={"Message-ID": f"<{message_id}@{domain}>", "Auto-Submitted": "auto-generated"},
        alternatives=[(mail.html, "text/html")],
    )
    try:
        message.send()
    except REFUSALS as error:
        raise NotSent(f"the mail server refused the mail: {_said(error)}", is_certain=True) from error
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"the mail server did not confirm the mail: {_said(error)}", is_certain=False) from error
    finally:
        # a mail that was taken is sent, however the farewell goes
        with contextlib.suppress(OSError, smtplib.SMTPException):
            connection.close()


def _said(error: Exception) -> str:
    """Return what an error means, with the server's code; its text could hold anything."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        return f"it does not know the recipient ({', '.join(map(str, codes))})"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses user and password ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    # smtplib raises an error of its own for a connection that times out
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return f"nothing came within {settings.EMAIL_TIMEOUT:g} s"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
