"""What the proxy before Docker's socket lets through: the reading that this index does, and nothing else."""

import re

import pytest

from tests.unit.test_compose import PROXY, SERVICES, override


def allowed(path: str, command: list[str] = SERVICES[PROXY]["command"]) -> bool:
    """Tell whether the proxy lets a GET of this path through; its pattern has to fit the whole path."""
    patterns = [flag.partition("=")[2] for flag in command if flag.startswith("-allow")]
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


def test_without_inspects_the_proxy_differs_in_one_path_alone() -> None:
    plain, without = SERVICES[PROXY]["command"], override("no-inspect.yml")[PROXY]["command"]
    assert [(a, b) for a, b in zip(plain, without, strict=True) if a != b and not a.startswith("-allowGET=")] == []
    assert allowed("/v1.41/containers/json", without)
    assert not allowed("/v1.41/containers/0f3a/json", without)
    assert {
        service["environment"]["INSPECT_MOST"] for name, service in override("no-inspect.yml").items() if name != PROXY
    } == {"0"}
