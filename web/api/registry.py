"""All endpoints of the API. Where a path fits several, the first with the request's method has it."""

from typing import Any

from msgspec import Raw

from web.api import changes, containers, deployments, deploys, hosts, incidents, silences, workloads
from web.api.endpoint import Call, Endpoint
from web.api.openapi import document


def openapi(_call: Call[Any]) -> Raw:
    """Return the description of the API."""
    return Raw(document(ENDPOINTS))


ENDPOINTS: tuple[Endpoint, ...] = (
    *containers.ENDPOINTS,
    *deploys.ENDPOINTS,
    *workloads.ENDPOINTS,
    *hosts.ENDPOINTS,
    *deployments.ENDPOINTS,
    *incidents.ENDPOINTS,
    *silences.ENDPOINTS,
    *changes.ENDPOINTS,
    Endpoint(
        method="GET",
        path="openapi.json",
        handler=openapi,
        summary="This description of the API",
        answer=dict[str, Any],
        scope=None,
    ),
)
