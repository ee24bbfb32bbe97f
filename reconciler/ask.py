"""I/O: makes the inspects of a pass. The core decides which are made, and what their answers change."""

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
    """An Engine that can be asked about a container."""

    def inspect(self, container_id: str, timeout_seconds: float) -> Details:
        """Return the details of a container. Raises NoDetails."""


def ask(inspector: Inspector, about: Iterable[Change]) -> Answers:
    """Inspect one container after the other, all of them within INSPECT_SECONDS. A failure costs only the details.

    If too many inspects for one reason have failed, the others for that reason are left to a later pass.
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
            # a container that had less than its full time is tried again
            is_stuck = error.stuck and left >= longest
            answers[container_id] = DetailsState.STUCK if is_stuck else DetailsState.OWED
            in_vain[change.inspect] += 1
    return answers
