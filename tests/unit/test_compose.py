"""What docker-compose.yml promises: nothing runs as root, and only the proxy touches Docker's socket."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parents[2] / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROXY = "socket-proxy"

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


@each_service
def test_runs_as_somebody_else_than_root(name: str) -> None:
    assert re.match(r"[1-9]\d*:", SERVICES[name]["user"])


@each_service
def test_cannot_gain_rights_or_write_its_file_system(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "privileged" not in service


@each_service
def test_uses_an_image_of_a_fixed_version_or_its_own(name: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"]) or SERVICES[name]["build"]["context"] == "."


def test_only_the_proxy_mounts_the_socket() -> None:
    assert [name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes", ""))] == [PROXY]


def test_only_worker_and_watcher_can_reach_the_proxy() -> None:
    near = {
        name
        for name, service in SERVICES.items()
        if set(service["networks"]) & set(SERVICES[PROXY]["networks"]) and name != PROXY
    }
    assert near == {"worker", "watch"}
    assert "-allowfrom=worker,watch" in SERVICES[PROXY]["command"]


def test_proxy_database_and_broker_are_cut_off_from_the_world() -> None:
    internal = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    for name in (PROXY, "postgres", "redis"):
        assert set(SERVICES[name]["networks"]) <= internal
        assert "ports" not in SERVICES[name]


def test_web_is_published_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_setting_of_the_index_is_handed_through() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (FILE.parent / "tinyforge" / "settings.py").read_text()))
    # for development, or set by the image or the proxy
    others = {"DEBUG", "HTTPS", "STATIC_ROOT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"}
    assert read - others <= set(SERVICES["worker"]["environment"])


def test_files_that_hosts_name_are_read_only_and_where_engines_are_asked() -> None:
    mounts = {name: service["volumes"] for name, service in SERVICES.items() if ":/tls:" in str(service.get("volumes"))}
    assert set(mounts) == {"worker", "watch"}
    assert all(mount.endswith(":ro") for volumes in mounts.values() for mount in volumes)


def test_no_secret_is_written_into_the_file() -> None:
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS", "DOCKER_GID"):
        values = re.findall(rf"\${{{name}(.*?)}}", FILE.read_text())
        assert values
        assert all(value.startswith(":?is not set; run ") for value in values)


def allowed(path: str) -> bool:
    """Tell whether the proxy lets a GET of this path through; it anchors the pattern at both ends."""
    patterns = [flag.partition("=")[2] for flag in SERVICES[PROXY]["command"] if flag.startswith("-allow")]
    return any(re.fullmatch(pattern, path) for pattern in patterns if pattern.startswith("("))


@pytest.mark.parametrize("version", ["", "/v1.41", "/v1.100"])
@pytest.mark.parametrize(
    "path",
    ["/_ping", "/version", "/info", "/events", "/containers/json", "/containers/0f3a/json", "/containers/a_b.c/json"],
)
def test_the_proxy_lets_the_index_read(version: str, path: str) -> None:
    assert allowed(version + path)


@pytest.mark.parametrize(
    "path",
    [
        "/images/json",
        "/secrets",
        "/containers/0f3a/archive",
        "/containers/0f3a/logs",
        "/containers/0f3a/export",
        "/containers/../json",
        "/containers/0f3a/../images/json",
        "/exec/0f3a/json",
        "/v1.41/containers/0f3a/top",
        "/v2.0/version",
        "/plugins/../version",
    ],
)
def test_the_proxy_lets_nothing_else_through(path: str) -> None:
    assert not allowed(path)


def test_the_proxy_allows_no_other_method() -> None:
    methods = {flag.partition("=")[0] for flag in SERVICES[PROXY]["command"] if flag.startswith("-allow")}
    assert methods == {"-allowfrom", "-allowGET", "-allowhealthcheck"}
