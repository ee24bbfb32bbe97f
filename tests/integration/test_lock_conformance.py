"""The model that proves single flight, compared with reconciler.lock on a real Valkey: they must answer alike."""

from typing import Any, cast

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.lock import HostLock, PassRequest
from tests.unit import test_single_flight_model as model

TOKENS = "abc"
TRIGGERS = ("boot", "event", "manual")
NAMES = ("lock", "asked", "called")
KEYS = [f"tinyforge:{{local}}:{name}" for name in NAMES]

tokens = st.sampled_from(TOKENS)
operations = st.one_of(
    st.tuples(st.just("request"), tokens, st.sampled_from(TRIGGERS), st.none() | st.integers(1, 2**63)),
    st.tuples(st.just("acquire"), tokens, st.booleans()),
    st.tuples(st.sampled_from(["release_unless_asked", "release", "renew"]), tokens),
    st.tuples(st.just("expire"), st.sampled_from(NAMES)),
    st.tuples(st.just("flush")),
)


class Modelled:
    """The model, with one lock for each token."""

    def __init__(self) -> None:
        self.keys = model.Keys()

    def do(self, name: str, *arguments: Any) -> Any:
        if name == "flush":
            self.keys = model.Keys()
            return None
        if name == "expire":
            self.keys = self.keys._replace(**{arguments[0]: getattr(model.Keys(), arguments[0])})
            return None
        self.keys, answer = getattr(self, name, self._by_token)(name, *arguments)
        return answer

    def request(self, _name: str, _token: str, trigger: str, event_ns: int | None) -> tuple[model.Keys, bool]:
        return model.request(self.keys, trigger, str(event_ns or ""))

    def acquire(self, _name: str, token: str, only_if_asked: bool) -> tuple[model.Keys, tuple[str, str] | None]:
        return model.acquire(self.keys, token, only_if_asked=only_if_asked)

    def _by_token(self, name: str, token: str) -> tuple[model.Keys, Any]:
        answered: tuple[model.Keys, Any] = getattr(model, name)(self.keys, token)
        return answered


class Real:
    """The real thing: one HostLock for each token."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.locks = {token: HostLock(client, "local", ttl_seconds=60) for token in TOKENS}

    def do(self, name: str, *arguments: Any) -> Any:
        if name == "flush":
            self.client.flushall()
            return None
        if name == "expire":
            self.client.pexpire(KEYS[NAMES.index(arguments[0])], 0)
            return None
        lock = self.locks[arguments[0]]
        if name == "request":
            return lock.request(PassRequest(arguments[1], arguments[2]))
        if name == "acquire":
            return as_modelled(lock.acquire(only_if_asked=arguments[1]))
        return as_modelled(getattr(lock, name)())

    @property
    def keys(self) -> model.Keys:
        """Return what is left in the keys; the owner of a lock is the one who may renew it."""
        holder = "".join(token for token, lock in self.locks.items() if lock.renew())
        held = cast("dict[bytes, bytes]", self.client.hgetall(KEYS[1]))
        asked = {key.decode(): value.decode() for key, value in held.items()}
        called = cast("bytes | None", self.client.get(KEYS[2])) or b""
        standing = (asked["trigger"], asked.get("event_ns", "")) if asked else None
        return model.Keys(holder, standing, called.decode())


def as_modelled(answer: Any) -> Any:
    if answer is None or isinstance(answer, bool):
        return answer
    return (answer.asked.trigger, str(answer.asked.event_ns or "")) if answer.asked else ("", "")


@given(st.lists(operations, max_size=40))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_model_and_valkey_give_the_same_answers_and_leave_the_same_keys(
    valkey: redis.Redis, sequence: list[tuple[Any, ...]]
) -> None:
    valkey.flushall()
    modelled, real = Modelled(), Real(valkey)
    for operation in sequence:
        assert real.do(*operation) == modelled.do(*operation)
        assert real.keys == modelled.keys


@given(st.lists(operations, max_size=40))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_key_is_ever_left_without_a_time_to_live(valkey: redis.Redis, sequence: list[tuple[Any, ...]]) -> None:
    """I19."""
    valkey.flushall()
    real = Real(valkey)
    for operation in sequence:
        real.do(*operation)
        assert all(valkey.pttl(key) > 0 for key in valkey.scan_iter())
