"""The JSON documents a daemon answers with, shaped like those of Engine 20.10. No I/O."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from simulator.container import Container

RELEASES = {"1.41": "20.10.24", "1.44": "25.0.3", "1.51": "28.3.3", "1.52": "29.0.1"}
NEVER = "0001-01-01T00:00:00Z"
MODERN = (1, 52)
PODMAN_RELEASE = "5.4.2"
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - what a daemon reports, nothing is bound to it


class Dialect(Enum):
    """Which shapes a daemon's documents have."""

    DOCKER = "as before API 1.52: health stands in the text of a listing's `Status` alone"
    MODERN = "as from API 1.52 on: a listing has a field for health, and events have lost their oldest fields"
    PODMAN = "as Podman 4.3 and 5.4: a listing tells nothing of health, and only ports that are published"


def dialect_of(api_version: str, *, podman: bool) -> Dialect:
    """Return the dialect of a daemon."""
    if podman:
        return Dialect.PODMAN
    return Dialect.MODERN if version_tuple(api_version) >= MODERN else Dialect.DOCKER


def version_tuple(text: str) -> tuple[int, ...]:
    """Return an API version as something that compares."""
    return tuple(int(part) for part in text.split("."))


def release(api_version: str) -> str:
    """Return the Engine release that spoke this API version."""
    return RELEASES.get(api_version, f"{api_version}.0")


def listing_item(container: Container, now: float, dialect: Dialect) -> dict[str, Any]:
    """Return one item of `/containers/json`."""
    is_podmans = dialect is Dialect.PODMAN
    item: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": container.image,
        "ImageID": image_id(container),
        "Command": "sleep 1000",
        "Created": container.created,
        "Ports": [port_entry(*port) for port in container.ports if len(port) > 2 or not is_podmans],
        "Labels": container.labels,
        "State": container.state,
        "Status": container.status(now, tells_health=not is_podmans),
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": {}},
        "Mounts": [],
    }
    return item | modern_fields(container) if dialect is Dialect.MODERN else item


def modern_fields(container: Container) -> dict[str, Any]:
    """Return what an item of `/containers/json` has in addition from API 1.52 on; `none` means no health check."""
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image_id(container),
        "size": 1024,
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    return {"Health": health(container), "ImageManifestDescriptor": manifest}


def inspection(container: Container) -> dict[str, Any]:
    """Return the answer of `/containers/{id}/json`."""
    return {
        "Id": container.id,
        "Created": rfc3339(container.created),
        "Path": "sleep",
        "Args": ["1000"],
        "State": inspected_state(container),
        "Image": image_id(container),
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Platform": "linux",
        "HostConfig": {"NetworkMode": "default", "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
        "Mounts": [],
        "Config": {"Image": container.image, "Labels": container.labels},
        "NetworkSettings": {"Ports": {f"{port[0]}/{port[1]}": None for port in container.ports}, "Networks": {}},
    }


def inspected_state(container: Container) -> dict[str, Any]:
    """Return the `State` object of an inspection."""
    state: dict[str, Any] = {
        "Status": container.state,
        "Running": container.is_up,
        "Paused": container.state == "paused",
        "Restarting": container.state == "restarting",
        "OOMKilled": container.oom_killed,
        "Dead": container.state == "dead",
        "Pid": 4242 if container.is_up else 0,
        "ExitCode": container.exit_code,
        "Error": "",
        "StartedAt": rfc3339(container.started_at),
        "FinishedAt": rfc3339(container.finished_at),
    }
    if container.health is not None:
        state["Health"] = health(container) | {"Log": []}
    return state


def version(api_version: str, min_api_version: str, *, podman: bool) -> dict[str, Any]:
    """Return the answer of `/version`."""
    details = {"ApiVersion": api_version, "MinAPIVersion": min_api_version, "Os": "linux", "Arch": "amd64"}
    number = PODMAN_RELEASE if podman else release(api_version)
    return {
        "Platform": {"Name": "" if podman else "Docker Engine - Community"},
        "Components": [{"Name": "Podman Engine" if podman else "Engine", "Version": number, "Details": details}],
        "Version": number,
        "GitCommit": "simulated",
        "GoVersion": "go1.19.7",
        "KernelVersion": "6.1.0",
        "BuildTime": "2023-04-04T18:22:04.000000000+00:00",
    } | details


def info(engine_id: str, api_version: str, containers: list[Container]) -> dict[str, Any]:
    """Return the answer of `/info`."""
    paused = sum(container.state == "paused" for container in containers)
    up = sum(container.is_up for container in containers)
    return {
        "ID": engine_id,
        "Name": "simulator",
        "Containers": len(containers),
        "ContainersRunning": up - paused,
        "ContainersPaused": paused,
        "ContainersStopped": len(containers) - up,
        "Images": 1,
        "Driver": "overlay2",
        "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": 2,
        "MemTotal": 8 * 1024**3,
        "ServerVersion": release(api_version),
        "Labels": [],
    }


def event(container: Container, action: str, extra: dict[str, str], time_ns: int, dialect: Dialect) -> dict[str, Any]:
    """Return one line of `/events`; from API 1.52 on without `status`, `id` and `from`."""
    attributes = {**container.labels, "image": container.image, "name": container.name, **extra}
    is_modern = dialect is Dialect.MODERN
    legacy = {} if is_modern else {"status": action, "id": container.id, "from": container.image}
    return legacy | {
        "Type": "container",
        "Action": action,
        "Actor": {"ID": container.id, "Attributes": attributes},
        "scope": "local",
        "time": time_ns // 10**9,
        "timeNano": time_ns,
    }


def port_entry(private: int, protocol: str, public: int | None = None) -> dict[str, Any]:
    """Return one entry of `Ports`."""
    entry: dict[str, Any] = {"PrivatePort": private, "Type": protocol}
    return entry if public is None else {"IP": ANY_ADDRESS, "PublicPort": public} | entry


def health(container: Container) -> dict[str, Any]:
    """Return the health object shared by the listing (API 1.52) and the inspection."""
    return {"Status": container.health or "none", "FailingStreak": int(container.health == "unhealthy")}


def image_id(container: Container) -> str:
    """Return a stable image digest for the image's name."""
    return f"sha256:{container.image.encode().hex():0<64.64}"


def rfc3339(moment: float | None) -> str:
    """Return a moment with nanoseconds, as Go prints it; for None, Go's zero time."""
    if moment is None:
        return NEVER
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
