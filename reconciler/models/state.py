"""The states of a row."""

from django.db import models

UNKNOWN = "unknown"
"""The effective state of a row whose host cannot be asked; never stored."""


class State(models.TextChoices):
    """The states of a row. A daemon's state that is not among them is stored as it is.

    Only the reconciler sets `missing` and `moved`, only a deployer sets `failed`. `gone` is the last state of
    a history; no row has it.
    """

    RUNNING = "running", "running"
    RESTARTING = "restarting", "restarting"
    PAUSED = "paused", "paused"
    CREATED = "created", "created"
    REMOVING = "removing", "removing"
    STOPPED = "stopped", "stopped"
    FAILED = "failed", "failed"
    MISSING = "missing", "missing"
    MOVED = "moved", "moved"
    GONE = "gone", "gone"
    PENDING = "", "pending"


ROW_STATES = [(value, label) for value, label in State.choices if value != State.GONE]
