"""What deployers do with containers: announce, bind, fail and delete them, as `reconciler.api` does."""

from typing import Any

from reconciler import api
from reconciler.api import Placeholder
from web.api import types
from web.api.containers import get_container
from web.api.endpoint import Call, Endpoint
from web.api.refusals import refusals
from web.models import Scope
from web.problems import Problem, Refused


def place_container(call: Call[Any]) -> types.ContainerAnswer:
    """Make a placeholder. Raises Refused."""
    with refusals():
        api.place(call.key, call.body, by=call.by)
    return get_container(call)


def bind_container(call: Call[Any]) -> types.ContainerAnswer:
    """Bind a row to a container. Raises Refused."""
    wanted: types.Binding = call.body
    with refusals():
        api.bind(call.key, wanted.container_id, expected_container_id=wanted.expected_container_id, by=call.by)
    return get_container(call)


def fail_container(call: Call[Any]) -> types.ContainerAnswer:
    """Say that a deploy has failed. Raises Refused."""
    failed: types.Failed = call.body
    with refusals():
        api.fail(call.key, expected_container_id=failed.expected_container_id, cause=failed.cause, by=call.by)
    return get_container(call)


def delete_container(call: Call[Any]) -> types.Deleted:
    """Delete a row. Raises Refused."""
    if not api.delete_rows([call.key], f"deleted by {call.by}"):
        raise Refused(Problem.NOT_FOUND, f"there is no container {call.key!r}")
    return types.Deleted(row=call.key, as_of=types.moment(call.at))


ENDPOINTS = (
    Endpoint(
        method="PUT",
        path="containers/{id}",
        handler=place_container,
        summary="Announce a container that a deploy is about to make",
        body=Placeholder,
        answer=types.ContainerAnswer,
        scope=Scope.DEPLOY,
        problems=(Problem.CONFLICT,),
    ),
    Endpoint(
        method="POST",
        path="containers/{id}/bind",
        handler=bind_container,
        summary="Bind a row to a container, unless somebody else was faster",
        body=types.Binding,
        answer=types.ContainerAnswer,
        scope=Scope.DEPLOY,
        problems=(Problem.CONFLICT,),
    ),
    Endpoint(
        method="POST",
        path="containers/{id}/failed",
        handler=fail_container,
        summary="Say that a deploy has failed",
        body=types.Failed,
        answer=types.ContainerAnswer,
        scope=Scope.DEPLOY,
        problems=(Problem.CONFLICT,),
    ),
    Endpoint(
        method="DELETE",
        path="containers/{id}",
        handler=delete_container,
        summary="Delete a row that nobody wants any more",
        answer=types.Deleted,
        scope=Scope.DEPLOY,
    ),
)
