"""How each failure looks from the client's side."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.api import TOO_OLD, answer, respond, split_version
from simulator.engine import GARBAGE, Engine
from simulator.failures import Failure, Rule
from simulator.filters import EVENT_FILTERS, parse_filters
from simulator.wire import Connection, Request, Response, error_response

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A request that a failure struck."""

    rule: Rule
    engine: Engine
    connection: Connection
    request: Request

    def answer(self) -> None:
        """Give the right answer after all."""
        answer(self.engine, self.connection, self.request)


def serve(engine: Engine, connection: Connection, request: Request) -> None:
    """Answer a request, or make the failure that the engine was told to make."""
    _, path = split_version(request.path)
    engine.record(request.method, path)
    rule = engine.rules.strike(path)
    if rule is None:
        answer(engine, connection, request)
    elif rule.failure in ANSWERS:
        connection.reply(ANSWERS[rule.failure](rule, request))
    else:
        DEEDS[rule.failure](Hit(rule=rule, engine=engine, connection=connection, request=request))


def refuse(hit: Hit) -> None:
    """Hang up without an answer."""
    hit.connection.abort()


def hang(hit: Hit) -> None:
    """Send nothing until the failures are lifted, then give the right answer."""
    hit.engine.rules.hold(lambda: hit.connection.call(hit.answer))


def delay(hit: Hit) -> None:
    """Give the right answer, but late."""
    hit.connection.later(hit.rule.seconds, hit.answer)


def truncate(hit: Hit) -> None:
    """Announce a whole body and send half of it."""
    response = respond(hit.engine, hit.request)
    hit.connection.begin(response.status, length=len(response.body))
    hit.connection.write(response.body[: len(response.body) // 2])
    hit.connection.close()


def truncate_chunked(hit: Hit) -> None:
    """Send half a body in chunks and hang up without the last one."""
    response = respond(hit.engine, hit.request)
    hit.connection.begin(response.status)
    hit.connection.chunk(response.body[: len(response.body) // 2 or 1])
    hit.connection.close()


def drip(hit: Hit) -> None:
    """Send a body without end, one byte now and then; hang up when the failures are lifted."""
    hit.connection.begin(200, length=2**30)
    hit.connection.write(b"[")
    heals = hit.engine.rules.heals

    def drop() -> None:
        if hit.engine.rules.heals == heals:
            hit.connection.write(b" ")
            hit.connection.later(hit.rule.every, drop)
        else:
            hit.connection.abort()

    hit.connection.later(hit.rule.every, drop)


def end(hit: Hit) -> None:
    """Start an answer in chunks and end it at once."""
    hit.connection.begin(200)
    hit.connection.chunk(b"")
    hit.connection.finish()


def babble(hit: Hit) -> None:
    """Start a stream with bytes that are not JSON, and keep it open."""
    filters = parse_filters(hit.request.query.get("filters"), EVENT_FILTERS)
    hit.engine.streams.open(hit.connection, filters).send(GARBAGE)


def too_old(rule: Rule, request: Request) -> Response:
    """Refuse whatever API version was asked for."""
    asked, _ = split_version(request.path)
    return error_response(400, TOO_OLD.format(asked or "1.24", rule.minimum))


ANSWERS: dict[Failure, Callable[[Rule, Request], Response]] = {
    Failure.ERROR: lambda rule, _: error_response(rule.status, rule.message),
    Failure.RANDOM_ERROR: lambda rule, _: error_response(rule.status, rule.message),
    Failure.NOT_JSON: lambda _, __: Response(body=HTML, content_type="text/html"),
    Failure.NOT_A_LIST: lambda rule, _: Response(body=rule.body),
    Failure.EMPTY: lambda _, __: Response(body=b"[]\n"),
    Failure.VERSION: too_old,
}
DEEDS: dict[Failure, Callable[[Hit], None]] = {
    Failure.REFUSED: refuse,
    Failure.HANG: hang,
    Failure.SLOW: delay,
    Failure.TRUNCATED: truncate,
    Failure.TRUNCATED_CHUNKED: truncate_chunked,
    Failure.DRIP: drip,
    Failure.ENDS: end,
    Failure.GARBAGE: babble,
}
