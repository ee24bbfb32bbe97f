"""Why a message was not sent."""

from datetime import timedelta


class NotSent(Exception):
    """A message was not sent; the text says why, and holds no secret.

    `is_certain` tells that the receiver has not got it; otherwise it may have. `retry_after` is how long the receiver
    asks us to wait. `is_gone` tells that it wants nothing of us any more.
    """

    def __init__(
        self, reason: str, *, is_certain: bool, retry_after: timedelta | None = None, is_gone: bool = False
    ) -> None:
        super().__init__(reason)
        self.is_certain = is_certain
        self.retry_after = retry_after
        self.is_gone = is_gone
