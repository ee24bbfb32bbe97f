"""Silences: of what nobody is told for a while."""

from datetime import timedelta
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from msgspec import UNSET, Meta, UnsetType

from alerts.models import Silence
from alerts.models.silence import MAX_BY_CHARS
from reconciler.models import Feed
from web import audit
from web.api import alert_types as types
from web.api.endpoint import Call, Endpoint
from web.api.pages import Number, PageQuery, cut, number_of, part_of
from web.api.reading import MOST_VALUES, Texts
from web.api.types import moment
from web.models import Scope
from web.problems import Problem, Refused

FURTHEST_END = timedelta(days=365)


class SilenceQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which silences are wanted."""

    after: Number | UnsetType = UNSET
    host: Texts = ()
    workload: Texts = ()
    condition: Annotated[
        tuple[types.Condition, ...],
        Meta(max_length=MOST_VALUES, description="Any of these: may be given several times."),
    ] = ()
    over: Annotated[bool, Meta(description="Those that have ended as well.")] = False


def list_silences(call: Call[SilenceQuery]) -> types.SilencePage:
    """Return a page of silences: of those that are not over, unless all are wanted."""
    cursor, query = Feed.of_this_database().newest(), call.query
    several = {"host": query.host, "workload_id": query.workload, "condition": query.condition}
    wanted = Silence.objects.filter(**{f"{column}__in": values for column, values in several.items() if values})
    silences = wanted if query.over else wanted.filter(ends_at__gt=call.at)
    found, after = cut(list(part_of(silences, query)), query.limit, lambda silence: str(silence.pk))
    items = [_served(silence) for silence in found]
    return types.SilencePage(items=items, next=after, as_of=moment(call.at), cursor=cursor)


def get_silence(call: Call[Any]) -> types.SilenceAnswer:
    """Return one silence. Raises Refused."""
    return _answer(call, _silence(call.key))


def make_silence(call: Call[Any]) -> types.SilenceAnswer:
    """Let nobody be told of something until a moment. Raises Refused."""
    wanted: types.NewSilence = call.body
    begins_at = max(wanted.begins_at or call.at, call.at)
    # so that no moment is so far away that a database cannot hold it
    if not call.at < wanted.ends_at <= call.at + FURTHEST_END or begins_at >= wanted.ends_at:
        what = f"ends_at is later than now and begins_at, and within {FURTHEST_END.days} days"
        raise Refused(Problem.BAD_REQUEST, f"no silence was made: {what}")
    named = {"host": wanted.host, "workload_id": wanted.workload, "condition": wanted.condition}
    made = Silence(**named, begins_at=begins_at, ends_at=wanted.ends_at, reason=wanted.reason)
    made.by = call.by[:MAX_BY_CHARS]
    try:
        made.full_clean()
    except ValidationError as error:
        raise Refused(Problem.BAD_REQUEST, f"no silence was made: {' '.join(error.messages)}") from error
    made.save()
    audit.note_of(call.who, made, f"Made, from {call.address}.")
    return _answer(call, made)


def end_silence(call: Call[Any]) -> types.SilenceAnswer:
    """Let a silence end now; what still stands is told then. Raises Refused."""
    silence = _silence(call.key)
    if silence.ends_at > call.at:
        silence.end(call.at)
        audit.note_of(call.who, silence, f"Ended, from {call.address}.")
    return _answer(call, silence)


def _silence(key: str) -> Silence:
    found = Silence.objects.filter(pk=number_of(key)).first()
    if found is None:
        raise Refused(Problem.NOT_FOUND, f"there is no silence {key!r}")
    return found


def _answer(call: Call[Any], silence: Silence) -> types.SilenceAnswer:
    cursor = Feed.of_this_database().newest()
    return types.SilenceAnswer(item=_served(silence), as_of=moment(call.at), cursor=cursor)


def _served(silence: Silence) -> types.Silence:
    return types.Silence(
        id=silence.pk,
        host=silence.host,
        workload=silence.workload_id,
        condition=silence.condition,
        begins_at=moment(silence.begins_at),
        ends_at=moment(silence.ends_at),
        reason=silence.reason,
        by=silence.by,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="silences",
        handler=list_silences,
        summary="List of what nobody is told for a while",
        query=SilenceQuery,
        answer=types.SilencePage,
    ),
    Endpoint(
        method="POST",
        path="silences",
        handler=make_silence,
        summary="Let nobody be told of something for a while",
        body=types.NewSilence,
        answer=types.SilenceAnswer,
        scope=Scope.ADMIN,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="silences/{id}",
        handler=get_silence,
        summary="One silence",
        answer=types.SilenceAnswer,
    ),
    Endpoint(
        method="DELETE",
        path="silences/{id}",
        handler=end_silence,
        summary="Let a silence end now",
        answer=types.SilenceAnswer,
        scope=Scope.ADMIN,
    ),
)
