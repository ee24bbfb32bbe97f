"""Acknowledge: a person says that he looks after what people are told of."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.views.decorators.http import require_POST

from alerts import api
from alerts.models import Incident
from web import audit
from web.address import client_address
from web.pages.live import RENDERINGS
from web.pages.serving import back_to, reader_of

MOST_AT_ONCE = 100
MOST_DIGITS = 18


@require_POST
@login_required
def acknowledge(request: HttpRequest) -> HttpResponse:
    """Note who looks after incidents, and go back to the page that asked; to its script, say only how many they are."""
    if not reader_of(request).may_acknowledge:
        return HttpResponseForbidden("You may look, and not acknowledge: an operator may.")
    wanted = _numbers(request.POST.get("incidents", ""))
    count = api.acknowledge(wanted, by=request.user.get_username())
    if count:
        _note(request, wanted)
        # whoever has no script is shown at once what he has done
        RENDERINGS.forget()
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"acknowledged": count})
    if count:
        messages.success(request, "Acknowledged: nobody is reminded of it any more.")
    else:
        messages.warning(request, "Nothing was acknowledged: it is over, or somebody was faster.")
    return back_to(request)


def _numbers(text: str) -> list[int]:
    parts = text.split(",", MOST_AT_ONCE)[:MOST_AT_ONCE]
    return [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) <= MOST_DIGITS]


def _note(request: HttpRequest, wanted: list[int]) -> None:
    name = request.user.get_username()
    for incident in Incident.objects.filter(pk__in=wanted, acknowledged_by=name):
        audit.note_of(request.user, incident, f"Acknowledged, from {client_address(request)}.")  # type: ignore[arg-type]
