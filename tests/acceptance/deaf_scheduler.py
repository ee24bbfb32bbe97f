"""A scheduler for beat that loses the SystemExit of a signal handler, as redis-py does in the middle of a send."""

import contextlib
import logging
import time

from celery.beat import Scheduler


class DeafScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Hears nothing while it ticks."""

    def tick(self, *_: object) -> float:
        """Take a long time, and turn whatever ends it into nothing."""
        logging.getLogger("tinyforge").info("ticking")
        with contextlib.suppress(SystemExit):
            time.sleep(3600)
        return 0.01
