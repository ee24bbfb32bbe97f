"""I/O: the inspects of a pass. Which are made, and what their answers change, is decided in the core."""

import logging
import time
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from django.conf import settings

from reconciler.core.details import Answers
from reconciler.core.inspects import MOST_IN_VAIN
from reconciler.core.last_inspect import DetailsState
from reconciler.core.observation import Details
from reconciler.core.plan import Change, Inspect
from reconciler.exceptions import NoDetails

logger = logging.getLogger(__name__)


class Inspector(Protocol):
    """Who can be asked about a container."""

    def inspect(self, container_id: str, timeout_seconds: float) -> Details:
        """Return the details of a container. Raises NoDetails."""


def ask(inspector: Inspector, about: Iterable[Change]) -> Answers:
    """Inspect one container after the other, within INSPECT_SECONDS in all; what fails costs its details alone.

    Once too many inspects of one kind have failed, the others of that kind are left to a later pass.
    """
    answers: dict[str, Details | DetailsState] = {}
    in_vain: Counter[Inspect] = Counter()
    longest = settings.INSPECT_SECONDS / 2
    end = time.monotonic() + settings.INSPECT_SECONDS
    for change in about:
        if in_vain[change.inspect] >= MOST_IN_VAIN:
            continue
        left = end - time.monotonic()
        if left <= 0:
            break
        container_id, host = change.after.container_id, change.after.host
        try:
            answers[container_id] = inspector.inspect(container_id, min(left, longest))
            in_vain[change.inspect] -= 1
        except NoDetails as error:
            logger.debug("host %s: %s", host, error, extra={"action": "no_details", "host": host})
            # what had less than its time is not given up
            is_stuck = error.stuck and left >= longest
            answers[container_id] = DetailsState.STUCK if is_stuck else DetailsState.OWED
            in_vain[change.inspect] += 1
    return answers
