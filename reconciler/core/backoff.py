"""For how long to leave alone what has failed. Pure: the caller draws the random number."""


def pause_seconds(failures: int, first: float, longest: float, draw: float) -> float:
    """Return the pause in seconds after a number of failures in a row: it doubles each time, up to `longest`.

    `draw` is a random number from 0 to 1. It makes the pause anything from half of that to the whole, so
    that hosts which failed together are not tried again together.
    """
    span = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 64))
    return span * (1 + draw) / 2
