"""The one view of the API: finds the endpoint, lets in who may, and answers; every error has RFC 9457's form."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from web.address import client_address
from web.api.answering import let_nobody_keep, respond
from web.api.endpoint import Call, Endpoint
from web.api.events import CONTENT_TYPE as EVENTS
from web.api.events import leave_who_does_not_read
from web.api.reading import read_body, read_query
from web.api.registry import ENDPOINTS
from web.auth import admit, is_still_admitted
from web.problems import Problem, Refused, not_allowed, problem

logger = logging.getLogger(__name__)

RETRY_SECONDS = "5"


# whoever writes shows a token, which no browser adds by itself
@csrf_exempt
def api(request: HttpRequest, path: str) -> HttpResponseBase:
    """Answer a request below /api/v1/."""
    try:
        response = _answer(request, path)
    except Refused as refused:
        response = problem(refused.kind, refused.detail)
    except (OperationalError, InterfaceError) as error:
        logger.warning("the API cannot answer: %s", error, extra={"action": "api_unavailable"})
        response = problem(Problem.UNAVAILABLE, "the database does not answer")
    if response.status_code == Problem.UNAVAILABLE.status:
        response.headers.setdefault("Retry-After", RETRY_SECONDS)
    return let_nobody_keep(response)


# whatever the method: a form may ask for a path that is not there, too
@csrf_exempt
def unknown(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answer a request below /api/ that no version of the API knows."""
    return problem(Problem.NOT_FOUND, "there is nothing here; the API is at /api/v1/openapi.json")


def _answer(request: HttpRequest, path: str) -> HttpResponseBase:
    method = "GET" if request.method == "HEAD" else request.method
    here = [(endpoint, key) for endpoint in ENDPOINTS if (key := endpoint.key_in(path)) is not None]
    if not here:
        return unknown(request)
    found = [(endpoint, key) for endpoint, key in here if endpoint.method == method]
    if not found:
        return not_allowed({endpoint.method for endpoint, _ in here})
    return _call(request, *found[0])


def _call(request: HttpRequest, endpoint: Endpoint, key: str) -> HttpResponseBase:
    who = admit(request, endpoint.scope) if endpoint.scope else None
    if isinstance(who, HttpResponse):
        return who
    call = Call(
        who=who,
        at=timezone.now(),
        address=client_address(request),
        key=key,
        query=read_query(request, endpoint.query),
        body=read_body(request, endpoint.body) if endpoint.body else None,
        wants_events=request.method == "GET" and EVENTS in request.headers.get("Accept", ""),
        last_event=request.headers.get("Last-Event-ID", ""),
        may_go_on=lambda: endpoint.scope is None or is_still_admitted(request, endpoint.scope),
    )
    response = respond(request, endpoint.handler(call), endpoint.status)
    if response.streaming:
        leave_who_does_not_read(request)
    return response
