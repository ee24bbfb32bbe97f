"""Messages that nobody should send: a real worker drops them and goes on, and so does every later one."""

import base64
import json
from typing import Any

import pytest
import redis
from django.utils import timezone

from dev.index import Processes
from reconciler.models import Host
from simulator import Engine, Server
from tests.builders import certain
from tests.waiting import eventually
from tinyforge.broker import UNUSABLE, accepted

DEEP = 100_000
CALLS = ("callbacks", "errbacks", "chain", "chord")


def body(*parts: Any) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


def message(**changes: Any) -> str:
    """Return a message as the index sends it, but for these changes; `headers__task` is a header."""
    made: dict[str, Any] = {
        "body": body([], {"trigger": "manual"}, dict.fromkeys(CALLS)),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "reconcile", "id": "1", "eta": None, "expires": None, "retries": 0},
        "properties": {
            "delivery_info": {"exchange": "", "routing_key": "reconcile"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "1",
        },
    }
    for path, value in changes.items():
        part = made
        *folders, name = path.split("__")
        for folder in folders:
            part = part[folder]
        part[name.replace("_", "-") if not folders else name] = value
    return json.dumps(made)


BAD: dict[str, str | bytes] = {
    "no JSON": "hello",
    "no text": b"\xff\xfe\x00",
    "nested": "[" * DEEP,
    "a number": "1",
    "a text": '"x"',
    "a list": "[]",
    "an object": "{}",
    "kombu's own types": '{"__type__": [], "__value__": 1}',
    "no headers": message(headers=[]),
    "no properties": message(properties=[]),
    "a tag that is a list": message(properties__delivery_tag=[]),
    "an unknown encoding of the body": message(properties__body_encoding="rot13"),
    "no body": message(body=None),
    "a body that is no base64": message(body="!!!!a"),
    "a body that is no JSON": message(body=base64.b64encode(b"hello").decode()),
    "a body that is nested": message(body=base64.b64encode(b"[" * DEEP).decode()),
    "a body that is an object": message(body=base64.b64encode(b"{}").decode()),
    "a body that is too short": message(body=body([])),
    "something to call back": message(body=body([], {}, {"callbacks": [5]})),
    "pickle": message(content_type="application/x-python-serialize"),
    "a content type that is a list": message(content_type=[]),
    "an unknown character set": message(content_encoding="klingon"),
    "no task": message(headers__task=[]),
    "no id": message(headers__id=None),
    "a time that is a list": message(headers__eta=[]),
    "retries that are no number": message(headers__retries="x"),
}
# Of the right kind, but not what a task can do anything with: Celery refuses them itself, or the task fails.
UNFIT: dict[str, str | bytes] = {
    "an unknown task": message(headers__task="nope"),
    "a time that is none": message(headers__eta="soon"),
    "an expiry that is none": message(headers__expires="soon"),
    "wrong arguments": message(body=body([1, 2, 3], {}, {})),
    "unknown arguments": message(body=body([], {"nope": 1}, {})),
    "an unknown trigger": message(body=body([], {"trigger": "nope"}, {})),
    "a host that is a number": message(headers__task="reconcile_host", body=body([5, "tick"], {}, {})),
    "a host with a NUL": message(headers__task="reconcile_host", body=body(["a\0", "tick"], {}, {})),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_message_of_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(UNUSABLE):
        accepted(json.loads(BAD[kind]))


def test_what_an_accepted_message_has_besides_is_left_behind() -> None:
    """Celery has ended over some of it."""
    built = accepted(json.loads(message(headers__stamps=5, headers__timelimit="x", headers__shadow=[])))
    assert set(built["headers"]) == {"task", "id", "eta", "expires", "retries"}
    assert json.loads(base64.b64decode(built["body"])) == [[], {"trigger": "manual"}, dict.fromkeys(CALLS)]


def test_a_worker_survives_every_bad_message(
    processes: Processes, simulator: Server, local: Host, valkey: redis.Redis
) -> None:
    Host.objects.update(url=simulator.serve(Engine()))
    worker = processes.worker()
    eventually(lambda: Host.objects.get().last_success_at, what="the boot pass")
    valkey.lpush("reconcile", *BAD.values(), *UNFIT.values())
    eventually(lambda: not valkey.llen("reconcile"), what="every message is taken")
    asked_at = timezone.now()
    valkey.lpush("reconcile", message())
    eventually(lambda: certain(Host.objects.get().last_success_at) > asked_at, what="a pass for a good message")
    assert worker.poll() is None
    assert processes.stop("worker") == 0
    assert not valkey.hlen("unacked"), "none comes back to the next worker"
    assert not valkey.llen("reconcile")


def test_worker_and_beat_listen_to_nothing_but_the_queue(
    processes: Processes, simulator: Server, local: Host, valkey: redis.Redis
) -> None:
    """Over Celery's other channels anybody could end them, by the command `shutdown` or by a bad message."""
    Host.objects.update(url=simulator.serve(Engine()))
    processes.worker()
    processes.beat()
    eventually(lambda: Host.objects.get().last_success_at, what="the boot pass")
    eventually(lambda: "Sending due task" in processes.log("beat"), what="a tick")
    assert valkey.pubsub_numpat() == 0
