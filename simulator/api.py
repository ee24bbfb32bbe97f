"""The endpoints: what a sound engine answers to a request. Failures are made elsewhere, in inflict.py."""

import re

from simulator import documents
from simulator.engine import Engine
from simulator.filters import EVENT_FILTERS, LISTING_FILTERS, parse_filters
from simulator.wire import Connection, Request, Response, error_response, json_response

VERSIONED = re.compile(r"/v(\d+\.\d+)(/.*)")
INSPECT = re.compile(r"/containers/([^/]+)/json")
FALSE = frozenset({"", "0", "no", "false", "none"})
TOO_OLD = (
    "client version {} is too old. Minimum supported API version is {}, please upgrade your client to a newer version"
)
TOO_NEW = "client version {} is too new. Maximum supported API version is {}"


def split_version(path: str) -> tuple[str | None, str]:
    """Split `/v1.41/info` into the version asked for and the path."""
    match = VERSIONED.fullmatch(path)
    return (match[1], match[2]) if match else (None, path)


def answer(engine: Engine, connection: Connection, request: Request) -> None:
    """Answer one request, or start its stream."""
    _, path = split_version(request.path)
    response = refusal(engine, request)
    if response is None and path == "/events" and request.method == "GET":
        try:
            engine.streams.open(connection, parse_filters(request.query.get("filters"), EVENT_FILTERS))
        except ValueError as error:
            response = error_response(400, str(error))
        else:
            return
    connection.reply(response or respond(engine, request))


def respond(engine: Engine, request: Request) -> Response:
    """Return the answer to any request except one for events."""
    if response := refusal(engine, request):
        return response
    _, path = split_version(request.path)
    if request.method not in {"GET", "HEAD"}:
        path = ""
    if path in PLAIN:
        return PLAIN[path](engine)
    if path == "/containers/json":
        return listing(engine, request)
    if match := INSPECT.fullmatch(path):
        return inspection(engine, match[1])
    return error_response(404, "page not found")


def ping(_engine: Engine) -> Response:
    """Return a sign of life; the API version is in a header that every answer has."""
    return Response(body=b"OK", content_type="text/plain; charset=utf-8")


def version(engine: Engine) -> Response:
    """Return what a client needs to negotiate the API version."""
    return json_response(documents.version(engine.api_version, engine.min_api_version, podman=engine.podman))


def info(engine: Engine) -> Response:
    """Return the daemon's identity and counts."""
    return json_response(documents.info(engine.engine_id, engine.api_version, list(engine.containers.values())))


PLAIN = {"/_ping": ping, "/version": version, "/info": info}


def refusal(engine: Engine, request: Request) -> Response | None:
    """Return the answer to an API version that this engine does not speak."""
    asked, _ = split_version(request.path)
    if asked is None:
        return None
    number = documents.version_tuple(asked)
    if number < documents.version_tuple(engine.min_api_version):
        return error_response(400, TOO_OLD.format(asked, engine.min_api_version))
    if number > documents.version_tuple(engine.api_version):
        return error_response(400, TOO_NEW.format(asked, engine.api_version))
    return None


def listing(engine: Engine, request: Request) -> Response:
    """Return the containers, newest first."""
    everything = request.query.get("all", "").lower() not in FALSE
    try:
        filters = parse_filters(request.query.get("filters"), LISTING_FILTERS)
    except ValueError as error:
        return error_response(400, str(error))
    return Response(body=engine.world.listing(everything=everything, filters=filters))


def inspection(engine: Engine, reference: str) -> Response:
    """Return one container by ID, by the beginning of its ID, or by name."""
    container = engine.world.find(reference)
    if container is None:
        return error_response(404, f"No such container: {reference}")
    return json_response(documents.inspection(container))
