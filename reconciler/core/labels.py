"""Every label name, once, and the typed claim that a container's labels make.

Pure: imports no framework, reads no clock, does no I/O.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

WORKLOAD_ID = "tinyforge.workload.id"
WORKLOAD_KIND = "tinyforge.workload.kind"
ROLE = "tinyforge.role"
STAGE = "tinyforge.stage"
INSTANCE_ID = "tinyforge.instance-id"
INSTALL_ID = "tinyforge.install-id"
STATIC_SITE = "tinyforge.static-site"
ALERTS = "tinyforge.alerts"
ALERTS_EXIT = "tinyforge.alerts.exit"
COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_NUMBER = "com.docker.compose.container-number"
COMPOSE_ONE_OFF = "com.docker.compose.oneoff"

STACK_PREFIX = "tinyforge-"

MAX_VALUE_CHARS = 128
"""The longest id, role, stage or kind: the columns for them are this long."""
MAX_REPLICA = 99_999


class Path(StrEnum):
    """Which label decided; the earlier one has precedence."""

    WORKLOAD = "workload"
    INSTANCE = "instance"
    SITE = "site"
    COMPOSE = "compose"


_DECIDING = (
    (WORKLOAD_ID, Path.WORKLOAD, ROLE),
    (INSTANCE_ID, Path.INSTANCE, STAGE),
    (STATIC_SITE, Path.SITE, ""),
    (COMPOSE_PROJECT, Path.COMPOSE, COMPOSE_SERVICE),
)
"""The labels that may decide, each with its path and the label that tells the role there."""
# to look up a member of an enum takes a while in Python 3.11, and this is done for each container
_WORKLOAD, _COMPOSE = Path.WORKLOAD, Path.COMPOSE
_CODES = re.compile(r"[0-9]{1,10}(,[0-9]{1,10})*")


class BadLabel(ValueError):
    """A label of ours holds a value that cannot be used."""

    def __init__(self, label: str, value: str, problem: str) -> None:
        super().__init__(f"label {label}={_shown(value)}: {problem}")


class Claim(Struct, frozen=True, gc=False):
    """What a container's labels say it is; `key` is the value of the label that decides.

    `role` comes from the role label of the path. Kind and instance are read on the workload's path only.
    """

    path: Path
    key: str
    role: str
    kind: str
    instance_id: str
    replica: int
    one_off: bool


def read_claim(labels: Mapping[str, str], install_id: str = "") -> Claim | None:
    """Return what the labels claim, or None for a container that is not ours.

    With an `install_id`, a container whose label names another installation is not ours, whatever its other
    labels say; a container without that label is. Without an `install_id` the label is not looked at.

    Raises BadLabel if a label that takes part in the decision is unusable.
    """
    if install_id and labels.get(INSTALL_ID, "") not in ("", install_id):
        return None
    decided = _deciding(labels)
    if decided is None:
        return None
    label, path, role_label = decided
    key = labels[label]
    if path is _COMPOSE and not key.startswith(STACK_PREFIX):
        return None
    role = labels.get(role_label, "") if role_label else ""
    kind = labels.get(WORKLOAD_KIND, "") if path is _WORKLOAD else ""
    instance_id = labels.get(INSTANCE_ID, "") if path is _WORKLOAD else ""
    together = f"{key}{role}{kind}{instance_id}"
    # all at once, because almost all are sound; one by one only to say which one is not
    if len(together) > MAX_VALUE_CHARS or not together.isprintable():
        _check_texts((label, key), (role_label, role), (WORKLOAD_KIND, kind), (INSTANCE_ID, instance_id))
    replica = _replica(labels[COMPOSE_NUMBER]) if COMPOSE_NUMBER in labels else 1
    one_off = COMPOSE_ONE_OFF in labels and labels[COMPOSE_ONE_OFF].lower() == "true"
    return Claim(path, key, role, kind, instance_id, replica, one_off)


def alerts_word(labels: Mapping[str, str]) -> str:
    """Return what the labels say about alerts: `off`, or exit codes that are harmless, with commas between them.

    What cannot be stored says nothing: nobody is to miss an alert for it, and no container is refused.
    """
    if labels.get(ALERTS, "").strip().lower() == "off":
        return "off"
    codes = labels.get(ALERTS_EXIT, "").replace(" ", "")
    return codes if _CODES.fullmatch(codes) and len(codes) <= MAX_VALUE_CHARS else ""


def text_problem(value: str, max_chars: int = MAX_VALUE_CHARS) -> str | None:
    """Return in words why a text cannot be stored on every database, or None if it can."""
    if len(value) > max_chars:
        return f"longer than {max_chars} characters"
    if not value.isprintable():
        return "holds a character that cannot be printed or stored"
    return None


def _deciding(labels: Mapping[str, str]) -> tuple[str, Path, str] | None:
    """Return the first deciding label that is present and not empty, with its path and its role label."""
    for each in _DECIDING:
        if labels.get(each[0]):
            return each
    return None


def _check_texts(*values: tuple[str, str]) -> None:
    """Raise BadLabel for the first of these labels whose value cannot be stored."""
    for label, value in values:
        if problem := text_problem(value):
            raise BadLabel(label, value, problem)


def _replica(value: str) -> int:
    """Return Compose's number of the container. Raises BadLabel if it is no number."""
    if value in ("1", ""):
        return 1
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value) > 0):
        raise BadLabel(COMPOSE_NUMBER, value, f"not a number from 1 to {MAX_REPLICA}")
    return int(value)


def _shown(value: str) -> str:
    return ascii(value if len(value) <= 40 else value[:39] + "…")
