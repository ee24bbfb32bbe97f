"""The public Python interface: what other apps, deployers and proxies may import, besides `models` and `signals`.

Nothing outside this app imports `reconciler.lock`, `reconciler.tasks` or what lies below them.
"""

from kombu.exceptions import OperationalError

from reconciler import tasks
from reconciler.core.report import Trigger
from reconciler.exceptions import CannotAsk, LockUnavailable
from reconciler.lock import PassRequest

__all__ = ["CannotAsk", "Trigger", "request_pass"]


def request_pass(host: str, trigger: str = Trigger.MANUAL) -> None:
    """Ask the workers for a pass of a host whose listing begins after this call.

    A host that is off is not looked at. Raises CannotAsk if Redis cannot be reached; the request is lost then, and the
    next tick looks at the host all the same.
    """
    try:
        tasks.ask(host, PassRequest(Trigger(trigger)))
    except (LockUnavailable, OperationalError) as error:
        raise CannotAsk(host, str(error)) from error
