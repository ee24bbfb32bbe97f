"""The body of a listing → a Snapshot, item by item, so that one malformed item is one refused container.

Pure: imports no framework, reads no clock, does no I/O.
"""

import json
from typing import TypeVar

import msgspec
from msgspec import Raw, convert

from reconciler.core.labels import text_problem
from reconciler.core.observation import (
    HEALTHS,
    MAX_CONTAINER_ID_CHARS,
    MAX_IMAGE_CHARS,
    MAX_PORT,
    MAX_STATE_CHARS,
    OWN_STATES,
    RUNNING,
    Observation,
    Reason,
    Skip,
    Snapshot,
    Status,
    main_port,
    normalise_state,
    read_status,
)

MAX_CONTAINERS = 50_000
"""Most items of a listing. All of them may become rows, in one transaction."""
MAX_VALUES = 2_000_000
"""Most values in all of a listing, for they take many times the room of the text; 64 MiB of real ones hold as many."""
MAX_SLOW_BYTES = 16 << 20
"""Largest listing that is read the slow way, which takes several times its size."""
MAX_SHOWN_CHARS = 128
"""Most that is kept of the id and the name of a refused container."""
MAX_NAME_CHARS = 256
"""Most that is kept of a container's name; longer than any that a daemon gives or a column takes."""
MAX_STATUS_CHARS = 256
"""The longest `Status` that is read. There is a limit because what is read is remembered."""


class BadListing(ValueError):
    """The body is not a list of containers, or the list is too long."""


class _Port(msgspec.Struct, gc=False):
    PrivatePort: int = 0
    Type: str = "tcp"


class _Item(msgspec.Struct, gc=False):
    Id: str
    State: str
    Names: list[str] | None = None
    Image: str = ""
    Created: int = 0
    Ports: list[_Port] | None = None
    Status: str = ""
    Health: object = None
    Labels: dict[str, str] | None = None


class _Identity(msgspec.Struct):
    """What can still be read of an item that is otherwise unusable."""

    Id: str
    Names: object = None


_AnyItem = TypeVar("_AnyItem")
_items = msgspec.json.Decoder(list[Raw])
_item = msgspec.json.Decoder(_Item)


def decode_listing(body: bytes, *, tells_health: bool = True) -> Snapshot:
    """Return what a listing says. Raises BadListing if the body is not a JSON list.

    If the daemon's listings never tell health, as Podman's, health is None where nothing is said about it.
    """
    unsaid_health = "" if tells_health else None
    observations: dict[str, Observation] = {}
    refusals: list[Skip] = []
    for item in _split(body):
        try:
            read = _item.decode(item) if isinstance(item, Raw) else convert(item, _Item)
            observation = _observation(read, unsaid_health)
        except (ValueError, RecursionError) as error:
            refusals.append(_refusal(item, _problem(error)))
            continue
        if observation.container_id in observations:
            skip = Skip(observation.container_id, observation.name, Reason.DUPLICATE, "listed more than once")
            refusals.append(skip)
        else:
            observations[observation.container_id] = observation
    return Snapshot(observations=tuple(observations.values()), refusals=tuple(refusals))


def _split(body: bytes) -> list[Raw] | list[object]:
    """Cut a body into items. If it holds text that is not Unicode, a slower way is used that spoils one item only."""
    # this bounds the number of items as well, before any of them takes memory
    if body.count(b",") > MAX_VALUES:
        raise BadListing(f"answered with a listing of more than {MAX_VALUES:,} values")
    try:
        items = _items.decode(body)
    except RecursionError:
        raise _nested(body) from None
    except msgspec.ValidationError:
        raise BadListing(f"answered with something that is not a list{begins(body)}") from None
    except msgspec.DecodeError as error:
        return _checked(_split_slowly(body, str(error)))
    return _checked(items)


def _split_slowly(body: bytes, problem: str) -> list[object]:
    """Cut a body into items that may hold text which is not Unicode."""
    if len(body) > MAX_SLOW_BYTES:
        raise BadListing(f"answered with something that is not JSON: {problem}{begins(body)}")
    try:
        items = json.loads(body.decode(errors="surrogateescape"))
    except ValueError:
        raise BadListing(f"answered with something that is not JSON: {problem}{begins(body)}") from None
    except RecursionError:
        raise _nested(body) from None
    if not isinstance(items, list):
        raise BadListing(f"answered with something that is not a list{begins(body)}")
    return items


def _checked(items: list[_AnyItem]) -> list[_AnyItem]:
    """Return the items. Raises BadListing if there are too many."""
    if len(items) > MAX_CONTAINERS:
        raise BadListing(f"answered with {len(items):,} containers; the most that are read is {MAX_CONTAINERS:,}")
    return items


def _nested(body: bytes) -> BadListing:
    return BadListing(f"answered with JSON nested too deep to read{begins(body)}")


def _problem(error: Exception) -> str:
    return "it is nested too deep to read" if isinstance(error, RecursionError) else str(error)


def _observation(item: _Item, unsaid_health: str | None) -> Observation:
    """Return what an item says. Raises ValueError if it cannot be used."""
    state = normalise_state(item.State)
    _check_texts(item.Id, item.Image, state)
    if not item.Id or not state:
        raise ValueError("Id or State is empty")
    if state in OWN_STATES:
        raise ValueError(f"State is {state!r}, which no daemon may say")
    ports = [(port.PrivatePort, port.Type) for port in item.Ports] if item.Ports else []
    if ports and not all(0 <= number <= MAX_PORT for number, _ in ports):
        raise ValueError("a port is out of range")
    status = read_status(item.Status) if len(item.Status) <= MAX_STATUS_CHARS else Status()
    return Observation(
        item.Id,
        item.Names[0][:MAX_NAME_CHARS].removeprefix("/") if item.Names else "",
        item.Image,
        state,
        item.Labels or {},
        main_port(ports) if ports else 0,
        item.Created,
        (_health(item.Health) or status.health or unsaid_health) if state == RUNNING else "",
        status.exit_code,
        status.up_seconds,
        status.ended_seconds,
    )


def _health(said: object) -> str:
    """Return what a listing of API 1.52 or later says about health; if that makes no sense, nothing."""
    word = said.get("Status") if isinstance(said, dict) else None
    return word if isinstance(word, str) and word in HEALTHS else ""


def _check_texts(container_id: str, image: str, state: str) -> None:
    is_short = (
        len(container_id) <= MAX_CONTAINER_ID_CHARS and len(image) <= MAX_IMAGE_CHARS and len(state) <= MAX_STATE_CHARS
    )
    # all at once, because almost all are sound; one by one only to say which one is not
    if is_short and f"{container_id}{image}{state}".isprintable():
        return
    texts = (
        ("Id", container_id, MAX_CONTAINER_ID_CHARS),
        ("Image", image, MAX_IMAGE_CHARS),
        ("State", state, MAX_STATE_CHARS),
    )
    problems = ((field, text_problem(value, max_chars)) for field, value, max_chars in texts)
    raise ValueError(next(f"{field} is {problem}" for field, problem in problems if problem))


def _refusal(item: object, problem: str) -> Skip:
    """Return a skip with what can still be read of an item that is unusable."""
    try:
        plain = json.loads(bytes(item).decode(errors="surrogateescape")) if isinstance(item, Raw) else item
        identity = convert(plain, _Identity)
    except (ValueError, RecursionError):
        identity = _Identity("")
    if not (identity.Id and identity.Id.isprintable()):
        return Skip("", "", Reason.MALFORMED, f"{problem}; its Id is unreadable, so nothing may go missing")
    names = identity.Names if isinstance(identity.Names, list) else []
    name = ascii(names[0][:MAX_SHOWN_CHARS])[1:-1].removeprefix("/") if names and isinstance(names[0], str) else ""
    return Skip(identity.Id[:MAX_SHOWN_CHARS], name, Reason.MALFORMED, problem)


def begins(body: bytes) -> str:
    """Return the beginning of a body, for a message."""
    return f" (it begins {body[:60]!r})" if body else " (an empty body)"
