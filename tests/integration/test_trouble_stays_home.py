"""I15: whatever a host's URL, files or ssh configuration are, that host fails with a message, and nothing else does."""

import gc
import os
import shutil
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from reconciler.conf import engine_of
from reconciler.core.report import Trigger
from reconciler.engine import Engine, TlsFiles
from reconciler.exceptions import EngineUnavailable, NoDetails
from reconciler.models import Host
from reconciler.reconcile import reconcile
from reconciler.status import statuses
from tests.certificates import Authority

NOBODY = "tcp://127.0.0.1:1"
REFUSED = "cannot be reached: connection refused"
SECRET = "hunter2"
MIB = 1 << 20


def reason_of(url: str, tls: TlsFiles | None = None, seconds: float = 5) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        Engine(host="west", url=url, timeout_seconds=seconds, tls=tls).listing()
    assert caught.value.reason.isprintable()
    return caught.value.reason


# URLs that a program has written

BAD_URLS = [
    "tcp://[::1:2375",
    "tcp://west:port",
    "gopher://west",
    "nonsense",
    "ssh://$(id):1",
    "unix:///bell\a.sock",
    "tcp://west:2375\r\nX: y",
    f"tcp://ops:{SECRET}@west:2375",
    f"ssh://ops:{SECRET}@west",
    "tcp://" + "w" * 64 + ".example:2375",
    "tcp://a..b:2375",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_host_whose_url_is_not_usable_fails_alone_and_shows_no_password(local: Host, url: str) -> None:
    west = Host.objects.create(name="west", url=url)
    report = reconcile(west, engine_of(west), trigger=Trigger.MANUAL)
    west.refresh_from_db()
    shown = [status for status in statuses(timezone.now()) if status.host == "west"]
    assert (report.outcome, west.failures, bool(west.last_error)) == ("failed", 1, True)
    for text in (report.error, west.last_error, shown[0].engine, shown[0].error):
        assert text.isprintable()
        assert SECRET not in text


@pytest.mark.parametrize("url", BAD_URLS)
def test_events_of_a_host_whose_url_is_not_usable_fail_with_a_message(url: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        Engine(host="west", url=url, timeout_seconds=5).events(5)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("ca", [5, object(), None])
def test_an_error_that_nobody_expects_fails_the_host_alone_as_well(ca: Any) -> None:
    files = TlsFiles(ca=ca)
    assert reason_of(NOBODY, files).startswith("failed: ")
    with pytest.raises(EngineUnavailable):
        Engine(host="west", url=NOBODY, timeout_seconds=5, tls=files).events(5)
    with Engine(host="west", url=NOBODY, timeout_seconds=5, tls=files).session() as session, pytest.raises(NoDetails):
        session.inspect("c" * 64, 5)


# TLS files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a client."""
    authority = Authority(tmp_path / "tls")
    authority.issue("client")
    shutil.copy(authority.folder / "client.pem", tmp_path / "tls" / "cert.pem")
    shutil.copy(authority.folder / "client-key.pem", tmp_path / "tls" / "key.pem")
    return authority.folder


def files_in(folder: Path, root: Path | None = None, **other: Path) -> TlsFiles:
    named = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")} | other
    return TlsFiles(ca=named["ca"], cert=named["cert"], key=named["key"], root=root)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + b"A" * MIB)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (make_pipe, "cannot be read: is not a regular file"),
        (link_to_zeros, "cannot be read: is not a regular file"),
        (Path.mkdir, "cannot be read: is a directory"),
        (make_huge, "is larger than 1 MiB"),
        (link_to_itself, "cannot be read: "),
    ],
)
def test_a_tls_file_that_is_no_small_file_is_named_and_not_waited_for(
    folder: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    """I19."""
    path = folder / f"{name}.pem"
    path.unlink()
    spoil(path)
    reason = reason_of(NOBODY, files_in(folder))
    assert reason.startswith(f"cannot be asked over TLS: {path} (")
    assert words in reason


def test_a_pipe_in_the_place_of_a_tls_file_is_not_even_opened(folder: Path) -> None:
    """To open it would wake whoever writes to it; other devices act as well."""
    (folder / "ca.pem").unlink()
    os.mkfifo(folder / "ca.pem")
    writer = threading.Thread(target=lambda: (folder / "ca.pem").open("wb").close())
    writer.start()
    for _ in range(20):
        reason_of(NOBODY, files_in(folder))
    assert writer.is_alive()
    os.close(os.open(folder / "ca.pem", os.O_RDONLY | os.O_NONBLOCK))
    writer.join()


@pytest.mark.parametrize("path", ["/tls/nul\0.pem", "/tls/\x1b[31m.pem", "/tls/\ud800.pem"])
def test_a_tls_file_with_an_odd_name_is_shown_in_printable_characters(folder: Path, path: str) -> None:
    assert reason_of(NOBODY, files_in(folder, ca=Path(path))).startswith("cannot be asked over TLS: ")


def test_tls_files_below_the_root_are_read(folder: Path) -> None:
    (folder / "link.pem").symlink_to(folder / "ca.pem")
    assert reason_of(NOBODY, files_in(folder, root=folder, ca=folder / "link.pem")) == REFUSED
    (folder.parent / "root").symlink_to(folder)
    assert reason_of(NOBODY, files_in(folder, root=folder.parent / "root")) == REFUSED


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize("through", ["tls/{}.pem", "root/../tls/{}.pem", "root/link.pem"])
def test_tls_files_outside_the_root_are_not_read(folder: Path, name: str, through: str) -> None:
    root = folder.parent / "root"
    shutil.copytree(folder, root)
    (root / "link.pem").symlink_to(folder / f"{name}.pem")
    path = folder.parent / through.format(name)
    reason = reason_of(NOBODY, files_in(root, root=root, **{name: path}))
    assert f"does not lie below {root}, the directory that TLS_ROOT names" in reason


def test_a_file_outside_the_root_is_refused_in_the_same_words_whether_it_is_there_or_not(folder: Path) -> None:
    root = folder.parent / "root"
    root.mkdir()
    reasons = [reason_of(NOBODY, TlsFiles(ca=folder / name, root=root)) for name in ("ca.pem", "no.pem")]
    assert reasons[0].replace("ca.pem", "") == reasons[1].replace("no.pem", "")


# ~/.ssh

SSH = "ssh://u@127.0.0.1:1"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty ~/.ssh of a user without an agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh"


@pytest.mark.parametrize(
    "config",
    ['Match exec "true %h %r"\n  User x\n', "Host *\n  ProxyCommand sh -c 'nc %h %p %r'\n", "Host *\n"],
    ids=["match-exec", "proxy-command", "plain"],
)
@pytest.mark.parametrize(
    "url",
    [
        "ssh://a@$(touch>{0}):1",
        "ssh://$(touch>{0})@127.0.0.1:1",
        "ssh://a@`touch>{0}`:1",
        "ssh://a@127.0.0.1;touch>{0}",
        "ssh://a@127.0.0.1|touch>{0}",
        "ssh://a@x'$(touch>{0})'",
        'ssh://a@x"$(touch>{0})"',
        "ssh://a@%0a$(touch>{0})",
    ],
)
def test_no_part_of_a_url_is_run_by_what_ssh_is_configured_to_run(
    ssh: Path, monkeypatch: pytest.MonkeyPatch, config: str, url: str
) -> None:
    (ssh / "config").write_text(config)
    monkeypatch.chdir(ssh)
    assert reason_of(url.format("ran")).startswith("cannot be asked: its URL is not usable: ")
    assert not (ssh / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config", b"Foo\n", "cannot be asked over ssh: ~/.ssh/config is not usable: Unparsable line Foo"),
        ("config", b"\xff\xfe", "cannot be asked over ssh: ~/.ssh/config is not usable: "),
        ("config", b"Match\n", "cannot be asked over ssh: ~/.ssh/config is not usable: "),
        ("config", b'Host "x\n', "cannot be asked over ssh: ~/.ssh/config is not usable: "),
        (
            "config",
            b"CanonicalizeHostname yes\nCanonicalizeMaxDots 9\n",
            "cannot be asked over ssh: ~/.ssh/config is not usable: ",
        ),
        ("config", b"Host *\n  ProxyCommand none\n", REFUSED),
        ("config", b"Host *\n  ProxyCommand '\n", "cannot be asked over ssh: the ProxyCommand of ~/.ssh/config"),
        ("config", b"Host *\n  ProxyCommand /nowhere/nc\n", "cannot be asked over ssh: the ProxyCommand of"),
        ("config", b"Host *\n  IdentityFile /dev/zero\n  IdentityFile /\n", REFUSED),
        ("known_hosts", b"h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n", REFUSED),
        ("known_hosts", b"h ssh-ed25519 @@@\n|1|x|y ssh-rsa AAAA\n|1| ssh-rsa\n,, \n\xff\n", REFUSED),
        ("known_hosts", b"[127.0.0.1]:1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n", "~/.ssh/known_hosts, line 1, holds"),
    ],
)
def test_a_file_of_ssh_that_is_broken_fails_the_host_it_concerns_with_a_message(
    ssh: Path, name: str, content: bytes, reason: str
) -> None:
    (ssh / name).write_bytes(content)
    assert reason in reason_of(SSH)


def test_a_port_in_the_configuration_that_is_none_is_named(ssh: Path) -> None:
    for port in ("abc", "99999", "-1"):
        (ssh / "config").write_text(f"Host *\n  Port {port}\n")
        assert "~/.ssh/config is not usable: " in reason_of("ssh://u@127.0.0.1")


@pytest.mark.parametrize("name", ["config", "known_hosts"])
@pytest.mark.parametrize("spoil", [make_pipe, link_to_zeros, Path.mkdir, make_huge, link_to_itself])
def test_what_stands_in_the_place_of_a_file_of_ssh_is_named_and_not_waited_for(
    ssh: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    """I19."""
    spoil(ssh / name)
    assert reason_of(SSH).startswith(f"cannot be asked over ssh: {ssh / name} (of ssh) ")


@pytest.mark.parametrize("spoil", [make_pipe, link_to_zeros, Path.mkdir])
def test_what_stands_in_the_place_of_a_key_is_passed_over(ssh: Path, spoil: Callable[[Path], None]) -> None:
    for name in ("id_rsa", "id_ecdsa", "id_ed25519"):
        spoil(ssh / name)
    assert reason_of(SSH) == REFUSED


def test_a_command_of_the_configuration_that_never_ends_costs_the_timeout(ssh: Path) -> None:
    """I19."""
    os.mkfifo(ssh / "gate")
    (ssh / "config").write_text(f'Match exec "cat {ssh / "gate"}"\n  User x\n')
    try:
        assert reason_of(SSH, seconds=0.3) == "was not reached over ssh within 0.3 s"
    finally:
        (ssh / "gate").open("wb").close()
        while any(thread.name == "within" for thread in threading.enumerate()):
            time.sleep(0.01)
        # the library that ran the command leaves its pipes to the garbage collector
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
