"""What the index refuses to do, as the API says it."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.api import BadValue, Conflict, UnknownHost, UnknownRow, UnknownWorkload
from web.problems import Problem, Refused

_PROBLEMS: dict[type[Exception], Problem] = {
    BadValue: Problem.BAD_REQUEST,
    UnknownHost: Problem.BAD_REQUEST,
    UnknownRow: Problem.NOT_FOUND,
    UnknownWorkload: Problem.NOT_FOUND,
    Conflict: Problem.CONFLICT,
}


@contextmanager
def refusals() -> Iterator[None]:
    """Raise Refused, with what it says to the client, for whatever the index refuses to do."""
    try:
        yield
    except tuple(_PROBLEMS) as error:
        raise Refused(_PROBLEMS[type(error)], str(error)) from error
