"""From a host and the settings to its Engine."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.conf import engine_of
from reconciler.engine import TlsFiles
from reconciler.models import Host

OWN = {"tls_ca": "/own/ca.pem", "tls_cert": "/own/cert.pem", "tls_key": "/own/key.pem"}
COMMON = {name: Path(f"/common/{name}.pem") for name in ("ca", "cert", "key")}


@pytest.fixture(autouse=True)
def common_tls(settings: Any) -> None:
    settings.DOCKER_TLS = COMMON


def test_a_host_without_a_url_is_the_environments(settings: Any) -> None:
    settings.DOCKER_HOST = "tcp://here:2376"
    assert engine_of(Host(name="local")).url == "tcp://here:2376"


def test_a_hosts_own_files_come_before_the_environments() -> None:
    files = TlsFiles(ca=Path("/own/ca.pem"), cert=Path("/own/cert.pem"), key=Path("/own/key.pem"))
    assert engine_of(Host(name="west", url="tcp://west:2376", **OWN)).tls == files


def test_a_ca_alone_verifies_the_engine_and_shows_no_certificate() -> None:
    engine = engine_of(Host(name="west", url="tcp://west:2376", tls_ca="/own/ca.pem"))
    assert engine.tls == TlsFiles(ca=Path("/own/ca.pem"), cert=None, key=None)


def test_a_host_without_files_takes_the_environments() -> None:
    assert engine_of(Host(name="west", url="https://west:2376")).tls == TlsFiles(**COMMON)


def test_the_root_bounds_a_hosts_own_files_and_not_those_of_the_environment(settings: Any) -> None:
    settings.TLS_ROOT = Path("/own")
    own = engine_of(Host(name="west", url="tcp://west:2376", tls_ca="/own/ca.pem")).tls
    environments = engine_of(Host(name="west", url="tcp://west:2376")).tls
    assert (own and own.root, environments and environments.root) == (Path("/own"), None)


@pytest.mark.parametrize("url", ["tcp://[::1", "nonsense", "\0", "tcp://ops:secret@west:1"])
def test_any_url_makes_an_engine_that_is_refused_when_it_is_asked(url: str) -> None:
    """I15."""
    assert engine_of(Host(name="west", url=url, tls_ca="/ca.pem")).url == url


@pytest.mark.parametrize("url", ["unix:///run/docker.sock", "ssh://ops@west", "http://west:2375"])
def test_what_is_no_tls_takes_no_files(url: str) -> None:
    assert engine_of(Host(name="west", url=url)).tls is None
