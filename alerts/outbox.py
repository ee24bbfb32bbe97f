"""I/O: what is to be sent about incidents, as rows that are made in the transaction that changes the incidents."""

from collections.abc import Sequence

from alerts.models import Change


def enqueue(changes: Sequence[Change]) -> None:
    """Note what is to be sent about these changes of phase, within the caller's transaction (I18)."""


def trouble() -> str:
    """Return in words why messages cannot be delivered; empty if they can."""
    return ""
