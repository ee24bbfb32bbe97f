"""I/O: single flight with a trailing edge, per host, on Redis. The only importer of redis.

Each host has three keys. `lock` holds the holder's token, with a time to live. `asked` holds the request
that no pass has taken yet: if a pass is under way, its holder finds the request on release and makes
exactly one more pass; if none is, whoever asks is told to start one. `called` says that somebody has been
told so, which keeps a thousand requesters from starting a thousand passes. It expires by itself, in case
the one who was told dies. It also says in which queue the pass waits: one that waits in a round is no
reason to let an urgent request wait, and whichever comes first answers both. Each operation is one Lua
script, so nothing can come between its question and its answer.

The lock is for efficiency, the database's fence for safety (I7): losing all of this does no harm.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, cast

import redis

from reconciler.core.report import OF_ROUNDS, Outcome, Trigger
from reconciler.exceptions import LockUnavailable

CALL_TTL_MS = 2_000
"""How long we believe that whoever was told to start a pass will do so. After that the next requester is told."""
ASKED_TTL_MS = 3_600_000
LATENCIES_KEPT = 500
OUTCOMES_KEY = "tinyforge:outcomes"
EVENTS_KEPT = 50

_REQUEST = """
if redis.call('HEXISTS', KEYS[2], 'trigger') == 0
   or (ARGV[5] == 'urgent' and redis.call('HGET', KEYS[2], 'queue') ~= 'urgent') then
  redis.call('HSET', KEYS[2], 'trigger', ARGV[1], 'queue', ARGV[5])
end
if ARGV[2] ~= '' then redis.call('HSETNX', KEYS[2], 'event_ns', ARGV[2]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local called = redis.call('GET', KEYS[3])
if called == 'urgent' or called == ARGV[5] then return 0 end
redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[4])
return 1
"""

_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 0 then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local asked = redis.call('HMGET', KEYS[2], 'trigger', 'event_ns')
redis.call('DEL', KEYS[2], KEYS[3])
return {asked[1] or '', asked[2] or ''}
"""

_RELEASE_UNLESS_ASKED = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local asked = redis.call('HMGET', KEYS[2], 'trigger', 'event_ns')
if not asked[1] then
  redis.call('DEL', KEYS[1])
  return false
end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {asked[1], asked[2] or ''}
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"


class PassRequest(NamedTuple):
    """A request for a pass; `event_ns` is the daemon's time of the first event that the pass answers."""

    trigger: Trigger
    event_ns: int | None = None


class Lease(NamedTuple):
    """The permission to make a pass, and the request that the pass answers, if there was one."""

    asked: PassRequest | None


@cache
def connect(url: str) -> redis.Redis:
    """Return this process's client for a Redis URL; it connects when used, and again after a failure."""
    # keepalive is for TCP only; a unix socket has none
    tcp = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=10, **tcp)


class HostLock:
    """One host's lock, held by at most one pass at a time. Every method raises LockUnavailable."""

    def __init__(self, client: redis.Redis, host: str, ttl_seconds: float) -> None:
        self._client = client
        self._keys = [f"tinyforge:{{{host}}}:{name}" for name in ("lock", "asked", "called")]
        self._retry = f"tinyforge:{{{host}}}:retry"
        self._events = f"tinyforge:{{{host}}}:events"
        self._latencies = _latencies_key(host)
        self._ttl_ms = max(1, round(ttl_seconds * 1000))
        self._token = secrets.token_hex(16)

    def request(self, ask: PassRequest) -> bool:
        """Ask for a pass whose listing begins after this call; return whether the caller has to start one."""
        event_ns = "" if ask.event_ns is None else ask.event_ns
        queue = "rounds" if ask.trigger in OF_ROUNDS else "urgent"
        return bool(self._run(_REQUEST, ask.trigger, event_ns, ASKED_TTL_MS, CALL_TTL_MS, queue))

    def acquire(self, *, only_if_asked: bool = False) -> Lease | None:
        """Take the lock and the standing request without waiting; None if the lock is held (or nothing was asked)."""
        try:
            return _lease(self._run(_ACQUIRE, self._token, self._ttl_ms, int(only_if_asked)))
        except LockUnavailable:
            # perhaps only the answer was lost: then we hold a lock that would last until it expires
            with contextlib.suppress(LockUnavailable):
                self.release()
            raise

    def release_unless_asked(self) -> Lease | None:
        """Release the lock; but if a request has come since it was taken, keep the lock and return the request."""
        return _lease(self._run(_RELEASE_UNLESS_ASKED, self._token, self._ttl_ms))

    def release(self) -> bool:
        """Release the lock if it is still ours, and leave requests standing; return whether it was ours."""
        return bool(self._run(_RELEASE, self._token))

    def renew(self) -> bool:
        """Give the lock its full time to live again if it is still ours; return whether it was."""
        return bool(self._run(_RENEW, self._token, self._ttl_ms))

    def claim_retry(self, seconds: float) -> bool:
        """Return whether the caller has to start a later pass, because nobody else has claimed that in the meantime."""
        return bool(self._command("SET", self._retry, "1", "NX", "PX", max(1, round(seconds * 1000))))

    def note_events(self, times: Iterable[int]) -> None:
        """Remember the daemon's times of events that were announced, each once, among the last few."""
        self._command("ZADD", self._events, *(part for event_ns in times for part in (event_ns, event_ns)))
        self._command("ZREMRANGEBYRANK", self._events, 0, -EVENTS_KEPT - 1)

    def events(self) -> list[int]:
        """Return the remembered times of announced events, latest first."""
        return [int(each) for each in cast("list[bytes]", self._command("ZREVRANGE", self._events, 0, -1))]

    def note_latency(self, milliseconds: float) -> None:
        """Remember how long after its event a pass was committed, among the last few hundred."""
        self._command("LPUSH", self._latencies, f"{milliseconds:.3f}")
        self._command("LTRIM", self._latencies, 0, LATENCIES_KEPT - 1)

    @contextlib.contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the lock from a thread, three times in its lifetime, while the body works."""
        stop = threading.Event()

        def renew_until_stopped() -> None:
            while not stop.wait(self._ttl_ms / 3000):
                # a lost or unreachable lock is no reason to stop: the fence decides (I7)
                with contextlib.suppress(LockUnavailable):
                    self.renew()

        thread = threading.Thread(target=renew_until_stopped, name="lock-renewal", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, script: str, *arguments: str | int) -> object:
        """Run a script on the host's keys."""
        return self._command("EVAL", script, len(self._keys), *self._keys, *arguments)

    def _command(self, *parts: str | int) -> object:
        with _translated_errors(self._client):
            return self._client.execute_command(*parts)  # type: ignore[no-untyped-call]


def latencies(client: redis.Redis, hosts: Sequence[str]) -> dict[str, list[float]]:
    """Return the remembered latencies of these hosts in milliseconds, latest first, in one round trip.

    Raises LockUnavailable.
    """
    with _translated_errors(client), client.pipeline(transaction=False) as pipeline:
        for host in hosts:
            pipeline.lrange(_latencies_key(host), 0, -1)
        found = cast("list[list[bytes]]", pipeline.execute())
    return {host: [float(each) for each in noted] for host, noted in zip(hosts, found, strict=True)}


def count_outcomes(client: redis.Redis, ended: Iterable[Outcome]) -> None:
    """Count passes by how they ended, in one round trip. The counts start again when Redis loses them.

    Raises LockUnavailable.
    """
    with _translated_errors(client), client.pipeline(transaction=False) as pipeline:
        for outcome in ended:
            pipeline.hincrby(OUTCOMES_KEY, outcome, 1)
        pipeline.execute()


def outcomes(client: redis.Redis) -> dict[str, int]:
    """Return how many passes ended in each way. Raises LockUnavailable."""
    with _translated_errors(client):
        found = cast("dict[bytes, bytes]", client.hgetall(OUTCOMES_KEY))
    return {name.decode(): int(count) for name, count in found.items()}


def ping(client: redis.Redis) -> None:
    """Return if Redis answers. Raises LockUnavailable."""
    with _translated_errors(client):
        client.ping()


@contextlib.contextmanager
def _translated_errors(client: redis.Redis) -> Iterator[None]:
    """Turn every error of Redis into LockUnavailable, which names the server without its password."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        where = client.connection_pool.connection_kwargs
        url = where.get("path") or f"{where.get('host')}:{where.get('port')}"
        raise LockUnavailable(str(url), str(error) or type(error).__name__) from error


def _latencies_key(host: str) -> str:
    return f"tinyforge:{{{host}}}:latencies"


def _lease(answer: object) -> Lease | None:
    """Return a script's answer as a lease, or None if the lock was not granted."""
    if not answer:
        return None
    trigger, event_ns = (part.decode(errors="replace") for part in cast("list[bytes]", answer))
    return Lease(_request(trigger, event_ns) if trigger else None)


def _request(trigger: str, event_ns: str) -> PassRequest:
    """Read a request. If another version or a stranger has left it, it asks for a pass like any other."""
    known = Trigger(trigger) if trigger in set(Trigger) else Trigger.EVENT
    return PassRequest(known, int(event_ns) if event_ns.isdecimal() and len(event_ns) < 20 else None)
