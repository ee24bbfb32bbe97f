"""Serves the pages: to a browser as a whole, to its script as what has changed, to strangers not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseForbidden,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from web.auth import MAY_LOOK
from web.pages.live import RENDERINGS, Content, Rendering
from web.roles import MAY_ACKNOWLEDGE, MAY_ASK


@dataclass(frozen=True, slots=True)
class Reader:
    """What somebody who reads a page may see and do."""

    sees_errors: bool
    may_ask: bool
    may_acknowledge: bool
    may_enter_admin: bool


def reader_of(request: HttpRequest) -> Reader:
    """Return what the person who asks may see and do."""
    user = request.user
    changes_hosts = user.has_perm("reconciler.change_host")
    return Reader(
        sees_errors=changes_hosts,
        may_ask=changes_hosts or user.has_perm(f"reconciler.{MAY_ASK}"),
        may_acknowledge=user.has_perm(MAY_ACKNOWLEDGE),
        may_enter_admin=bool(user.is_staff),
    )


def back_to(request: HttpRequest) -> HttpResponseRedirect:
    """Return the way back to the page that asked for something."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    return HttpResponseRedirect(back if is_ours else "/")


def parts_of(templates: tuple[str, ...], context: dict[str, Any]) -> dict[str, str]:
    """Return HTML by the name of its part; each has a template of its own."""
    return {name: render_to_string(f"web/parts/{name}.html", context) for name in templates}


def serve(
    request: HttpRequest, template: str, make: Callable[[datetime, Reader], Content], **more: Any
) -> HttpResponse:
    """Answer a request for a page: to people who are logged in, whatever their role, as long as they have one."""
    wants_parts = request.headers.get("Accept") == "application/json"
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401) if wants_parts else redirect_to_login(request.get_full_path())
    if not request.user.has_perm(MAY_LOOK):
        return HttpResponseForbidden("You may not look at containers: join the group viewer or operator.")
    reader = reader_of(request)
    key = (request.path, request.META.get("QUERY_STRING", ""), reader)
    rendering, again = RENDERINGS.get(key, timezone.now(), lambda at: make(at, reader), polls=wants_parts)
    if wants_parts:
        response = _parts(request, rendering)
    else:
        response = render(request, template, _shell(rendering) | {"reader": reader} | more)
    age = timezone.now() - rendering.as_of
    response["ETag"], response["X-Age-Ms"] = rendering.etag, str(round(age.total_seconds() * 1000))
    response["X-Again-Ms"] = str(round(again * 1000))
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Accept", "Cookie"])
    return response


def _parts(request: HttpRequest, rendering: Rendering) -> HttpResponse:
    """Return what has changed since the page with the tag that a request names; 304 if nothing has."""
    had = request.headers.get("If-None-Match", "")
    changed = rendering.changed_since(had)
    if not changed:
        return HttpResponseNotModified()
    content = rendering.content
    return JsonResponse(
        {"title": content.title, "level": content.level, "says": content.says, "parts": changed},
    )


def _shell(rendering: Rendering) -> dict[str, Any]:
    """Return what a page's frame shows around its parts."""
    content = rendering.content
    return {
        "title": content.title,
        "level": content.level,
        "says": content.says,
        "parts": content.parts,
        "etag": rendering.etag,
        "as_of": rendering.as_of.astimezone(UTC),
    }
