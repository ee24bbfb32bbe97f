"""`python -m dev.record_answers`: record what Docker answers, for the tests of what reads it.

API 1.44 is the oldest that Engine 29 speaks. Docker 26.1 speaks it too, so a real one is asked. Engine 29 itself, with
API 1.52, cannot be had from Debian: its answers are those of 1.44, changed as its sources say.
"""

import contextlib
import copy
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker

from dev.engine_kinds import KINDS, EngineKind
from dev.place import PROJECT
from dev.process import wait_until

FOLDER = PROJECT / "simulator" / "recorded"
ASKED = "1.44"
RECORDED_ON = "docker-26.1"
SOURCES = {
    "1.44": "a real Docker 26.1.5 of Debian 13, asked in version 1.44 by `python -m dev.record_answers`",
    "1.52": "the answers in version 1.44, with what has changed since: https://docs.docker.com/reference/api/engine/"
    "version-history/ and, for `Health` of a listing, daemon/container/view.go of https://github.com/moby/moby, 29.0",
}
SETTLE_SECONDS = 30.0
LABELS = {"tinyforge.workload.id": "shop"}
KEPT_OF_A_VERSION = ("Version", "ApiVersion", "MinAPIVersion", "Os", "Arch")
KEPT_OF_AN_INSPECT = (
    *("Id", "Created", "Path", "Args", "State", "Image", "Name", "RestartCount", "Driver", "Platform", "Config"),
    *("NetworkSettings", "HostConfig", "Mounts"),
)
"""The rest holds paths of the machine, or says what nobody here reads."""
NETWORK_FIELDS_IN_1_52 = ("SandboxID", "Ports", "Networks")
EVENT_FIELDS_GONE_IN_1_52 = ("status", "id", "from")
SPECIMENS: Mapping[str, Mapping[str, Any]] = {
    "created": {},
    "running": {},
    "unhealthy": {"healthcheck": {"test": ["CMD", "false"], "interval": 500_000_000, "retries": 1}},
    "paused": {},
    "exited": {"command": ["sh", "-c", "exit 3"]},
    "restarting": {"command": ["sh", "-c", "exit 7"], "restart_policy": {"Name": "always"}},
    # it is killed when its health is known, and stays unhealthy from API 1.52 on
    "was-unhealthy": {"healthcheck": {"test": ["CMD", "false"], "interval": 500_000_000, "retries": 1}},
}


def record(kind: EngineKind) -> dict[str, Any]:
    """Return what an Engine answers about a container in every state."""
    # a socket's path has to be short
    with tempfile.TemporaryDirectory(prefix="tf-", dir="/tmp") as folder:
        engine = kind.make(Path(folder))
        try:
            engine.start()
            engine.import_busybox()
            with contextlib.closing(docker.APIClient(base_url=engine.url, version=ASKED)) as client:
                return _answers(client)
        finally:
            engine.stop()


def as_in_1_52(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return answers in version 1.44 as an Engine 29 would give them in version 1.52."""
    made = copy.deepcopy(dict(recorded))
    made["source"] = SOURCES["1.52"]
    made["version"] |= {"Version": "29.0.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    for item in made["listing"]:
        (inspected,) = (each for each in made["inspections"] if each["Id"] == item["Id"])
        health = inspected["State"].get("Health") or {"Status": "none", "FailingStreak": 0}
        item["Health"] = {name: health[name] for name in ("Status", "FailingStreak")}
    for inspected in made["inspections"]:
        inspected["Config"].pop("OnBuild", None)
        inspected["NetworkSettings"] = _only(inspected["NetworkSettings"], NETWORK_FIELDS_IN_1_52)
    for event in made["events"]:
        for name in EVENT_FIELDS_GONE_IN_1_52:
            del event[name]
    return made


def _answers(client: docker.APIClient) -> dict[str, Any]:
    began = int(time.time())
    ids = {name: _make(client, name, **specimen) for name, specimen in SPECIMENS.items()}
    _bring_about(client, ids)
    ask = _asking(client)
    until = int(time.time()) + 1
    stream = f"/events?since={began}&until={until}&filters={json.dumps({'type': ['container']})}"
    return {
        "source": SOURCES[ASKED],
        "version": _only(ask("/version")[0], KEPT_OF_A_VERSION),
        "listing": ask("/containers/json?all=1")[0],
        "inspections": [_of_an_inspect(ask(f"/containers/{each}/json")[0]) for each in ids.values()],
        "events": [event for event in ask(stream) if not event["Action"].startswith("exec_")],
    }


def _bring_about(client: docker.APIClient, ids: Mapping[str, str]) -> None:
    """Bring each container into the state that its name says."""
    for name, container_id in ids.items():
        if name != "created":
            client.start(container_id)
    client.pause(ids["paused"])
    for name in ("unhealthy", "was-unhealthy"):
        _wait(client, ids[name], lambda state: state["Health"]["Status"] == "unhealthy")
    client.kill(ids["was-unhealthy"])
    for name in ("exited", "was-unhealthy"):
        _wait(client, ids[name], lambda state: state["Status"] == "exited")
    # it waits longer after each attempt
    _wait(client, ids["restarting"], lambda state: state["Restarting"], restarts=4)


def _wait(
    client: docker.APIClient, container_id: str, holds: Callable[[dict[str, Any]], bool], *, restarts: int = 0
) -> None:
    def is_so() -> bool:
        seen = client.inspect_container(container_id)
        return bool(holds(seen["State"])) and seen["RestartCount"] >= restarts

    wait_until(is_so, timeout_seconds=SETTLE_SECONDS)


def _make(client: docker.APIClient, name: str, *, restart_policy: Any = None, **options: Any) -> str:
    made = client.create_container(
        "tinyforge-busybox",
        name=name,
        labels=LABELS | {"tinyforge.role": name},
        host_config=client.create_host_config(network_mode="none", restart_policy=restart_policy),
        **({"command": ["sleep", "3600"]} | options),
    )
    return str(made["Id"])


def _asking(client: docker.APIClient) -> Callable[[str], list[Any]]:
    """Return a function that gives the documents of an answer."""

    def ask(path: str) -> list[Any]:
        answer = client.get(f"{client.base_url}/v{ASKED}{path}")
        answer.raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines() if line]

    return ask


def _of_an_inspect(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = _only(document, KEPT_OF_AN_INSPECT)
    kept["NetworkSettings"].pop("SandboxKey", None)
    kept["HostConfig"] = _only(kept["HostConfig"], ("NetworkMode", "RestartPolicy"))
    if health := kept["State"].get("Health"):
        health["Log"] = health["Log"][-1:]
    return kept


def _only(document: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def main() -> None:
    """Write the recorded answers."""
    (kind,) = (kind for kind in KINDS if kind.name == RECORDED_ON)
    recorded = record(kind)
    for version, answers in (("1.44", recorded), ("1.52", as_in_1_52(recorded))):
        text = json.dumps(answers, indent=1, sort_keys=True)
        (FOLDER / f"api-{version}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
