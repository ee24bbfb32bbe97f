"""Errors in the form of RFC 9457, which every error of the API has."""

from collections.abc import Collection
from enum import Enum
from http import HTTPStatus

import msgspec
from django.http import HttpResponse

CONTENT_TYPE = "application/problem+json"


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The members of RFC 9457; `type` is stable, for programs, and `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str


class Problem(Enum):
    """The kinds of errors: their type and status."""

    BAD_REQUEST = ("bad-request", HTTPStatus.BAD_REQUEST)
    UNAUTHORIZED = ("unauthorized", HTTPStatus.UNAUTHORIZED)
    FORBIDDEN = ("forbidden", HTTPStatus.FORBIDDEN)
    NOT_FOUND = ("not-found", HTTPStatus.NOT_FOUND)
    METHOD_NOT_ALLOWED = ("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED)
    CONFLICT = ("conflict", HTTPStatus.CONFLICT)
    CURSOR_TOO_OLD = ("cursor-too-old", HTTPStatus.GONE)
    TOO_LARGE = ("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    SERVER_ERROR = ("server-error", HTTPStatus.INTERNAL_SERVER_ERROR)
    BUSY = ("busy", HTTPStatus.SERVICE_UNAVAILABLE)
    UNAVAILABLE = ("unavailable", HTTPStatus.SERVICE_UNAVAILABLE)

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status."""
        return self.value[1]


class Refused(Exception):
    """A request cannot be answered, for a reason that its sender is told."""

    def __init__(self, kind: Problem, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def details_of(kind: Problem, detail: str) -> ProblemDetails:
    """Return an error in its form."""
    name, status = kind.value
    return ProblemDetails(type=f"tinyforge:problem:{name}", title=status.phrase, status=status.value, detail=detail)


def problem(kind: Problem, detail: str) -> HttpResponse:
    """Return an error as an answer."""
    body = msgspec.json.encode(details_of(kind, detail))
    return HttpResponse(body, status=kind.status, content_type=CONTENT_TYPE)


def not_allowed(methods: Collection[str]) -> HttpResponse:
    """Return the answer to a method that is none of these; whoever may get, may ask for the head alone."""
    allowed = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
    response = problem(Problem.METHOD_NOT_ALLOWED, f"allowed here: {allowed}")
    response["Allow"] = allowed
    return response
