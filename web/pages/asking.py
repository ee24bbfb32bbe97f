"""Look now: a person asks for a pass over a host."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from reconciler.api import CannotAsk, request_pass
from reconciler.models import Host
from web import audit
from web.address import client_address
from web.pages.serving import back_to, reader_of


@require_POST
@login_required
def look_now(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for a pass over a host, and go back to the page that asked; its outcome appears there."""
    if not reader_of(request).may_ask:
        return HttpResponseForbidden("You may look, and not ask for a pass: an operator may.")
    host = get_object_or_404(Host, name=name)
    if not host.enabled:
        messages.warning(request, f"Host {name} is off, so nobody looks at it: enable it first.")
    else:
        try:
            request_pass(name)
        except CannotAsk as error:
            messages.error(request, str(error))
        else:
            audit.note_of(request.user, host, f"Asked for a pass, from {client_address(request)}.")  # type: ignore[arg-type]
            outcome = "What comes of it is told below, as its last look."
            messages.success(request, f"A pass over host {name} was asked for. {outcome}")
    return back_to(request)
