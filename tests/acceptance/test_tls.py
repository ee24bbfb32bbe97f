"""A real Docker Engine over TLS on loopback: what works, and what is said of each thing that can fail."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dev.engine import DockerEngine
from dev.ports import free_port
from dev.process import ServiceError
from reconciler.engine import Engine, TlsFiles
from reconciler.engine.tls import tls_words
from reconciler.exceptions import EngineUnavailable
from tests.certificates import FAR, LONG_AGO, TOMORROW, YESTERDAY, Authority
from tests.conftest import unavailable
from tests.environment import DIRECTORY
from tests.waiting import WAIT_SECONDS


@pytest.fixture(scope="module")
def authority() -> Authority:
    made = Authority(DIRECTORY / "tls")
    for name in ("server", "client"):
        made.issue(name)
    for name in ("late-server", "late-client"):
        made.issue(name, since=LONG_AGO, until=YESTERDAY)
    made.issue("early-client", since=TOMORROW, until=FAR)
    return made


@pytest.fixture(scope="module")
def stranger() -> Authority:
    made = Authority(DIRECTORY / "other", name="other-ca")
    made.issue("client")
    return made


@contextlib.contextmanager
def dockerd(folder: str, *options: str) -> Iterator[str]:
    """Start a daemon that listens on loopback; yield its URL."""
    url = f"tcp://127.0.0.1:{free_port()}"
    engine = DockerEngine(DIRECTORY / folder, hosts=[url], extra_args=options)
    try:
        engine.start()
    except ServiceError as error:
        unavailable(str(error))
    try:
        yield url
    finally:
        engine.stop()


def server_options(authority: Authority, name: str = "server") -> tuple[str, ...]:
    files = authority.files(name)
    return f"--tlscacert={authority.ca}", f"--tlscert={files.cert}", f"--tlskey={files.key}"


@pytest.fixture(scope="module")
def url(authority: Authority) -> Iterator[str]:
    """A daemon that asks every client for a certificate."""
    with dockerd("t", "--tlsverify", *server_options(authority)) as url:
        yield url


@pytest.fixture(scope="module")
def open_url(authority: Authority) -> Iterator[str]:
    """A daemon that shows its certificate and asks for none."""
    with dockerd("o", "--tlsverify=false", *server_options(authority)) as url:
        yield url


@pytest.fixture(scope="module")
def late_url(authority: Authority) -> Iterator[str]:
    """A daemon whose certificate has expired."""
    with dockerd("l", "--tlsverify=false", *server_options(authority, "late-server")) as url:
        yield url


@pytest.fixture(scope="module")
def plain_url() -> Iterator[str]:
    """A daemon without TLS."""
    with dockerd("p", "--tls=false") as url:
        yield url


@pytest.fixture(scope="module")
def modern_url(authority: Authority) -> Iterator[str]:
    """A server that says exactly what is wrong with a client's certificate, as newer daemons do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = authority.files("server")
    context.load_cert_chain(str(server.cert), str(server.key))
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def engine_at(url: str, tls: TlsFiles | None) -> Engine:
    return Engine(host="local", url=url, timeout_seconds=5, tls=tls)


def reason_at(url: str, tls: TlsFiles | None) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        engine_at(url, tls).listing()
    return caught.value.reason


# what works


@pytest.mark.parametrize("scheme", ["tcp", "https"])
def test_an_engine_over_tls_gives_all_that_a_session_wants(url: str, authority: Authority, scheme: str) -> None:
    with engine_at(url.replace("tcp", scheme), authority.files("client")).session() as session:
        assert session.listing().size == 0
        assert session.identity(5)


def test_events_come_over_tls_and_can_be_ended(url: str, authority: Authority) -> None:
    stream = engine_at(url, authority.files("client")).events(WAIT_SECONDS)
    ending = threading.Timer(0.2, stream.end)
    ending.start()
    assert list(stream) == []
    stream.close()
    ending.join()


def test_an_engine_that_wants_no_certificate_is_verified_by_its_ca_alone(open_url: str, authority: Authority) -> None:
    assert engine_at(open_url, TlsFiles(ca=authority.ca)).listing().size == 0


# what is wrong with the server


def test_an_engine_of_another_authority_is_refused(url: str, stranger: Authority, authority: Authority) -> None:
    client = authority.files("client")
    files = TlsFiles(ca=stranger.ca, cert=client.cert, key=client.key)
    assert reason_at(url, files) == f"shows a certificate that is not signed by the CA in {stranger.ca}"


def test_without_a_ca_of_its_own_an_engine_is_held_against_those_of_the_machine(url: str) -> None:
    reason = reason_at(url.replace("tcp", "https"), None)
    assert reason == "shows a certificate that is not signed by any CA that this machine trusts"


def test_an_engine_of_another_name_is_refused(url: str, authority: Authority) -> None:
    reason = reason_at(url.replace("127.0.0.1", "localhost"), authority.files("client"))
    assert reason == "shows a certificate that is not for localhost"


def test_an_engine_whose_certificate_has_expired_is_refused(late_url: str, authority: Authority) -> None:
    assert reason_at(late_url, TlsFiles(ca=authority.ca)) == "shows a certificate that has expired"


def test_a_ca_that_has_expired_is_named(open_url: str, authority: Authority, tmp_path: Path) -> None:
    outdated = Authority(tmp_path / "outdated", until=YESTERDAY)
    outdated.issue("server")
    with dockerd("c", "--tlsverify=false", *server_options(outdated)) as url:
        reason = reason_at(url, TlsFiles(ca=outdated.ca))
    assert reason == f"cannot be verified: {outdated.ca} (the CA) expired on {YESTERDAY:%Y-%m-%d %H:%M} UTC"


def test_without_tls_a_port_that_wants_it_says_so(url: str) -> None:
    assert reason_at(url, None) == "speaks TLS, and was asked without"


def test_over_tls_a_port_that_has_none_says_so(plain_url: str, authority: Authority) -> None:
    assert reason_at(plain_url, authority.files("client")) == "does not speak TLS"


# what is wrong with the client


@pytest.fixture(params=["url", "modern_url"])
def any_url(request: pytest.FixtureRequest) -> str:
    """An Engine of either generation."""
    found: str = request.getfixturevalue(request.param)
    return found


def refusal(files: TlsFiles, fault: str) -> str:
    return f"refused {files.cert} (the client's certificate): {fault}"


def test_a_client_without_a_certificate_is_told_to_have_one(any_url: str, authority: Authority) -> None:
    reason = reason_at(any_url, TlsFiles(ca=authority.ca))
    assert reason.startswith("demands a client certificate, and none is named")


def test_a_client_whose_certificate_has_expired_is_told_which_and_when(any_url: str, authority: Authority) -> None:
    files = authority.files("late-client")
    expected = refusal(files, f"it expired on {YESTERDAY:%Y-%m-%d %H:%M} UTC")
    assert reason_at(any_url, files).startswith(expected)


def test_a_client_whose_certificate_is_not_valid_yet_is_told_from_when(any_url: str, authority: Authority) -> None:
    files = authority.files("early-client")
    expected = refusal(files, f"it is not valid before {TOMORROW:%Y-%m-%d %H:%M} UTC")
    assert reason_at(any_url, files).startswith(expected)


def test_a_client_of_another_authority_is_told_so(any_url: str, authority: Authority, stranger: Authority) -> None:
    client = stranger.files("client")
    files = TlsFiles(ca=authority.ca, cert=client.cert, key=client.key)
    assert reason_at(any_url, files).startswith(refusal(files, "it is not one that this Engine's CA signed"))


def test_a_refusal_reads_the_same_each_time(any_url: str, authority: Authority) -> None:
    """Whether the alert or the end of the connection comes first is chance; it must not look like a new error."""
    assert len({reason_at(any_url, TlsFiles(ca=authority.ca)) for _ in range(20)}) == 1
    assert len({reason_at(any_url, authority.files("late-client")) for _ in range(20)}) == 1


def test_a_daemon_that_hangs_up_over_an_expired_certificate_is_understood_without_its_alert(
    authority: Authority,
) -> None:
    files = authority.files("late-client")
    assert tls_words(ConnectionResetError(), files, "") == refusal(
        files, f"it expired on {YESTERDAY:%Y-%m-%d %H:%M} UTC"
    )
    assert tls_words(ConnectionResetError(), authority.files("client"), "") == ""


# what is wrong with the files, which is found before anything connects

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture
def spoiled(authority: Authority, tmp_path: Path) -> Path:
    """A folder with the right files, which tests then spoil."""
    client = authority.files("client")
    for name, path in (("ca", authority.ca), ("cert", client.cert), ("key", client.key)):
        (tmp_path / f"{name}.pem").write_bytes(path.read_bytes() if path else b"")
    return tmp_path


ROLES = {"ca": "the CA", "cert": "the client's certificate", "key": "the client's key"}


def files_in(folder: Path) -> TlsFiles:
    return TlsFiles(ca=folder / "ca.pem", cert=folder / "cert.pem", key=folder / "key.pem")


def forbid(path: Path) -> None:
    """Make a file that even root cannot read as one."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "there is no file {path} ({role})"),
        (forbid, "{path} ({role}) cannot be read: is a directory"),
        (lambda path: path.write_bytes(b"\x30\x82"), "{path} ({role}) holds no PEM {what}"),
        (lambda path: path.write_bytes(b""), "{path} ({role}) holds no PEM {what}"),
    ],
    ids=["absent", "unreadable", "der", "empty"],
)
def test_a_file_that_cannot_be_used_is_named(
    spoiled: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    path = spoiled / f"{name}.pem"
    spoil(path)
    what = "key" if name == "key" else "certificate"
    expected = words.format(path=path, role=ROLES[name], what=what)
    assert reason_at(NOBODY, files_in(spoiled)) == f"cannot be asked over TLS: {expected}"


def test_a_key_of_another_certificate_is_named(spoiled: Path, authority: Authority) -> None:
    key = authority.files("server").key
    files = TlsFiles(ca=spoiled / "ca.pem", cert=spoiled / "cert.pem", key=key)
    assert reason_at(NOBODY, files) == f"cannot be asked over TLS: {files.cert} and {key} do not fit together"


def test_a_key_with_a_passphrase_is_named_and_nobody_is_asked_for_it(spoiled: Path) -> None:
    path = spoiled / "key.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    Authority.write_key(path, key, serialization.BestAvailableEncryption(b"secret"))
    assert f"{path} (the client's key) is encrypted" in reason_at(NOBODY, files_in(spoiled))


def test_a_certificate_without_its_key_is_named(spoiled: Path) -> None:
    files = TlsFiles(ca=spoiled / "ca.pem", cert=spoiled / "cert.pem")
    assert reason_at(NOBODY, files).endswith(f"{files.cert} is named without its counterpart")
