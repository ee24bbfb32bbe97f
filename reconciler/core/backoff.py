"""How long to leave alone what has failed. Pure: the dice are thrown by the caller."""


def pause_seconds(failures: int, first: float, longest: float, draw: float) -> float:
    """Return the pause after so many failures in a row: doubled each time, up to `longest`, with jitter.

    `draw` is from 0 to 1; it makes the pause anything from a half to the whole, so that hosts which
    failed together are not tried again together.
    """
    span = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 64))
    return span * (1 + draw) / 2
