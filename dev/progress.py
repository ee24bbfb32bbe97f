"""Prints what `make up` tells the person at the terminal."""

from contextlib import suppress

BAR = "!" * 100


def say(line: str) -> None:
    """Print one line of progress."""
    _print(f"==> {line}")


def shout(*lines: str) -> None:
    """Print what must not be overlooked."""
    _print("\n".join(["", BAR, *(f"!!! {line}" for line in lines), BAR, ""]))


def _print(text: str) -> None:
    # A terminal that has been closed must not keep us from clearing up.
    with suppress(OSError):
        print(text, flush=True)
