"""A real Docker Engine over TLS on loopback, named by the standard Docker variables."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.engine import DockerEngine
from dev.ports import free_port
from dev.process import ServiceError
from reconciler.engine import Engine, TlsFiles
from reconciler.exceptions import EngineUnavailable
from tests.conftest import unavailable
from tests.environment import DIRECTORY


class Authority:
    """A certificate authority of our own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._openssl("req", "-x509", *self._new_key("ca"), "-subj", "/CN=test-ca", "-days", "2", "-out", "ca.pem")

    def issue(self, name: str, *, names: str = "IP:127.0.0.1", days: int = 2) -> None:
        """Write NAME.pem and NAME-key.pem."""
        self._openssl("req", *self._new_key(f"{name}-key"), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (self.folder / "ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", str(days))
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")

    def files(self, name: str, *, ca: Path | None = None) -> TlsFiles:
        """Return what a client of that name connects with."""
        return TlsFiles(
            ca=ca or self.folder / "ca.pem",
            cert=self.folder / f"{name}.pem",
            key=self.folder / f"{name}-key.pem",
        )

    def _new_key(self, name: str) -> tuple[str, ...]:
        path = "ca.key" if name == "ca" else f"{name}.pem"
        return ("-newkey", "rsa:2048", "-nodes", "-keyout", path)

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority() -> Authority:
    if shutil.which("openssl") is None:
        unavailable("openssl, to make certificates with")
    made = Authority(DIRECTORY / "tls")
    made.issue("server")
    made.issue("client")
    return made


@pytest.fixture(scope="module")
def url(authority: Authority) -> Iterator[str]:
    folder, port = authority.folder, free_port()
    options = (
        "--tlsverify",
        f"--tlscacert={folder / 'ca.pem'}",
        f"--tlscert={folder / 'server.pem'}",
        f"--tlskey={folder / 'server-key.pem'}",
    )
    engine = DockerEngine(DIRECTORY / "t", hosts=[f"tcp://127.0.0.1:{port}"], extra_args=options)
    try:
        engine.start()
    except ServiceError as error:
        unavailable(str(error))
    yield f"tcp://127.0.0.1:{port}"
    engine.stop()


def engine_at(url: str, tls: TlsFiles | None) -> Engine:
    return Engine(host="local", url=url, timeout_seconds=5, tls=tls)


def test_an_engine_over_tls_gives_its_listing(url: str, authority: Authority) -> None:
    assert engine_at(url, authority.files("client")).listing().size == 0


def test_an_engine_of_another_authority_is_refused(url: str, authority: Authority) -> None:
    other = Authority(DIRECTORY / "other")
    with pytest.raises(EngineUnavailable, match="refused over TLS"):
        engine_at(url, authority.files("client", ca=other.folder / "ca.pem")).listing()


def test_an_engine_of_another_name_is_refused(url: str, authority: Authority) -> None:
    with pytest.raises(EngineUnavailable, match=r"refused over TLS.*localhost"):
        engine_at(url.replace("127.0.0.1", "localhost"), authority.files("client")).listing()


def test_without_tls_the_engine_gives_nothing(url: str) -> None:
    with pytest.raises(EngineUnavailable, match="HTTP 400"):
        engine_at(url, None).listing()


def test_missing_files_are_named(url: str, tmp_path: Path) -> None:
    files = TlsFiles(ca=tmp_path / "ca.pem", cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    with pytest.raises(EngineUnavailable, match="TLS"):
        engine_at(url, files).listing()
