"""A message as people read it: subject, plain text and HTML. Does no I/O but reading templates."""

from dataclasses import dataclass

from django.template.loader import render_to_string

from alerts.core.letter import Letter
from alerts.core.titles import subject_of


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in its two forms, under one subject."""

    subject: str
    text: str
    html: str


def rendered(letter: Letter) -> Mail:
    """Return a letter as a mail."""
    subject = subject_of(letter)
    context = {"letter": letter, "subject": subject}
    text = render_to_string("alerts/message.txt", context)
    return Mail(subject, f"{text.strip()}\n", render_to_string("alerts/message.html", context))
