"""Answers as JSON, with a tag of their content, so that who has it already is not sent it again."""

import hashlib
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from msgspec.structs import replace

from web.api.types import Answer

CONTENT_TYPE = "application/json"


def respond(request: HttpRequest, answer: Any, status: int) -> HttpResponseBase:
    """Return an answer to a request, or 304 if the request names the tag that the answer has."""
    if isinstance(answer, HttpResponseBase):
        return answer
    if request.method not in ("GET", "HEAD") or not isinstance(answer, Answer):
        return HttpResponse(msgspec.json.encode(answer), status=status, content_type=CONTENT_TYPE)
    tag = tag_of(answer)
    if _has(request, tag):
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(msgspec.json.encode(answer), status=status, content_type=CONTENT_TYPE)
    response["ETag"] = tag
    return response


def tag_of(answer: Answer) -> str:
    """Return the tag of what an answer says, whenever it says so.

    No counter would do: rows become unknown by the passing of time.
    """
    return f'W/"{hashlib.sha256(msgspec.json.encode(replace(answer, as_of="", cursor=""))).hexdigest()[:32]}"'


def let_nobody_keep(response: HttpResponseBase) -> HttpResponseBase:
    """Have caches ask each time, for each client."""
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response


def _has(request: HttpRequest, tag: str) -> bool:
    """Tell whether the sender of a request has the content with this tag, which a proxy may have made a strong one."""
    had = parse_etags(request.headers.get("If-None-Match", ""))
    return had == ["*"] or tag.removeprefix("W/") in [each.removeprefix("W/") for each in had]
