"""The states of a row."""

from django.db import models

UNKNOWN = "unknown"
"""The effective state of a row whose host cannot be asked; never stored."""


class State(models.TextChoices):
    """States of a container row; a daemon's unknown state is stored as it is.

    `missing` and `moved` are set by the reconciler alone, `failed` by the deployer alone. `gone` is the
    last state of a row's history, and no row has it.
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
