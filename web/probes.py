"""/livez: this process works. /readyz: what it needs is there. Neither tells strangers more than names."""

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from reconciler.readiness import shortfalls


@never_cache
@require_safe
def livez(_request: HttpRequest) -> JsonResponse:
    """Say that this process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Say what is not well, with 503, or that all is well."""
    found = shortfalls(timezone.now())
    return JsonResponse({"status": "not ready" if found else "ok", "failing": found}, status=503 if found else 200)
