"""`manage.py host`: every act, and what bad input gets."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from reconciler.core.report import Trigger
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from simulator import Engine, Failure, Server
from tests.builders import FakeEngine, cid
from tests.hostile import hostile

pytestmark = pytest.mark.usefixtures("local")


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit status, the standard output and the error."""
    out = io.StringIO()
    try:
        call_command("host", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


def names() -> list[str]:
    return list(Host.objects.values_list("name", flat=True))


@pytest.fixture
def engine(simulator: Server) -> Engine:
    """A simulated Engine behind host local."""
    engine = Engine(engine_id="SIM:1")
    engine.add()
    Host.objects.filter(name="local").update(url=simulator.serve(engine))
    return engine


# add


@pytest.mark.parametrize(
    "url", ["unix:///run/docker.sock", "tcp://west.example:2375", "https://west:2376", "ssh://ops@west.example:2222"]
)
def test_a_host_is_added(url: str) -> None:
    assert run("add", "west", url) == (0, "host west added; `manage.py host check west` tells whether it answers\n", "")
    assert Host.objects.values_list("url", "enabled").get(name="west") == (url, True)


def test_a_host_is_added_with_its_tls_files() -> None:
    files = ("--tls-ca", "/tls/ca.pem", "--tls-cert", "/tls/cert.pem", "--tls-key", "/tls/key.pem")
    assert run("add", "west", "tcp://west:2376", *files)[0] == 0
    west = Host.objects.get(name="west")
    assert (west.tls_ca, west.tls_cert, west.tls_key) == ("/tls/ca.pem", "/tls/cert.pem", "/tls/key.pem")


def test_a_host_is_added_disabled() -> None:
    run("add", "west", "tcp://west:2375", "--disabled")
    assert not Host.objects.get(name="west").enabled


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("west", "ftp://west"), "'ftp://west' is not usable: its scheme is none of unix, tcp, http, https, ssh"),
        (("west", "west:2375"), "its scheme is none of"),
        (("west", "tcp://"), "it names no machine with its port: tcp://name:port"),
        (("west", "tcp://west"), "it names no machine with its port: tcp://name:port"),
        (("west", "tcp://west:0"), "its port is no number from 1 to 65535"),
        (("west", "tcp://west:2375?x=1"), "it has more than a machine and its port"),
        (("west", "ssh://ops@west/run/docker.sock"), "it has more than a machine and its port"),
        (("west", "unix://"), "it names no socket: unix:///path"),
        (("west", "tcp://west:99999"), "its port is no number"),
        (("west", "ssh://$(id)@west"), "its user's name may hold letters, digits, '.', '_' and '-'"),
        (("west", "ssh://-oProxyCommand=id"), "its machine's name may hold letters, digits, '.', '_' and '-'"),
        (("west", "ssh://ops:hunter2@west"), "'ssh://***@west' is not usable: it names a password"),
        (("west", "tcp://ops:hunter2@west:2375"), "'tcp://***@west:2375' is not usable: it names a user or a password"),
        (("west", "unix:///\x1b[31m"), "it holds a character that cannot be printed"),
        (("local", "tcp://west:2375"), "already exists"),
        (("we st", "tcp://west:2375"), "slug"),
        (("w" * 64, "tcp://west:2375"), "at most 63 characters"),
        (("west", "tcp://west:2375", "--tls-ca=/ca", "--tls-cert=/cert"), "go together"),
        (("west", "tcp://west:2375", "--tls-cert=/cert", "--tls-key=/key"), "needs the CA"),
        (("west", "unix:///s", "--tls-ca=/ca"), "for a URL that begins with tcp:// or https://"),
    ],
)
def test_a_host_that_cannot_work_is_refused_and_says_why(arguments: tuple[str, ...], problem: str) -> None:
    code, _, error = run("add", *arguments)
    assert (code, names()) == (1, ["local"])
    assert error.startswith(f"host {arguments[0]} was not added: ")
    assert problem in error
    assert "hunter2" not in error


def test_tls_files_that_do_not_lie_below_the_root_are_refused(settings: Any) -> None:
    settings.TLS_ROOT = Path("/tls")
    for outside in ("/etc/ca.pem", "/tls/../etc/ca.pem", "/tlsx/ca.pem"):
        code, _, error = run("add", "west", "tcp://west:2376", "--tls-ca", outside)
        assert (code, f"TLS files lie below /tls, which TLS_ROOT names: not {outside!r}" in error) == (1, True)
    assert run("add", "west", "tcp://west:2376", "--tls-ca", "/tls/west/ca.pem")[0] == 0


# list


def test_hosts_are_listed(engine: Engine) -> None:
    Host.objects.create(name="west", url="tcp://west:2376", tls_ca="/tls/ca.pem", enabled=False)
    head, local, west = run("list")[1].splitlines()
    assert head.split() == ["HOST", "ENGINE", "TLS", "CONDITION"]
    assert local.endswith("not looked at yet")
    assert west.split() == ["west", "tcp://west:2376", "/tls/ca.pem", "off"]


def test_hosts_are_listed_for_machines() -> None:
    Host.objects.filter(name="local").update(url="tcp://here:2375", engine_id="A")
    (host,) = json.loads(run("list", "--json")[1])["hosts"]
    assert host == {
        "host": "local",
        "url": "tcp://here:2375",
        "enabled": True,
        "tls_ca": "",
        "tls_cert": "",
        "tls_key": "",
        "engine_id": "A",
        "failures": 0,
        "condition": "new",
        "condition_text": "not looked at yet",
    }


def test_no_password_of_a_url_that_a_program_wrote_is_listed() -> None:
    Host.objects.create(name="west", url="tcp://ops:hunter2@west:2375")
    for arguments in (("list",), ("list", "--json"), ("check", "west"), ("check", "west", "--json")):
        _, printed, error = run(*arguments)
        assert "hunter2" not in printed + error
        assert "***@west:2375" in printed


# check


def test_a_host_that_answers_says_what_it_is(engine: Engine) -> None:
    code, printed, _ = run("check", "local")
    url = Host.objects.get(name="local").url
    assert (code, printed) == (0, f"local: Docker 20.10.24 (API 1.41) at {url}, 1 containers\n")


def test_a_check_writes_nothing(engine: Engine) -> None:
    before = list(Host.objects.values())
    run("check")
    assert list(Host.objects.values()) == before


def test_a_host_that_does_not_answer_says_why_and_the_others_are_checked(engine: Engine) -> None:
    """I15."""
    Host.objects.create(name="a", url="unix:///nowhere/docker.sock")
    code, printed, error = run("check")
    assert (code, error) == (1, "no usable answer from a")
    assert printed.splitlines()[0].startswith("a: the Engine at unix:///nowhere/docker.sock cannot be reached: ")
    assert printed.splitlines()[1].startswith("local: Docker")


def test_a_host_that_errs_says_so(engine: Engine) -> None:
    engine.fail(Failure.ERROR, status=503)
    assert "answered HTTP 503: simulated failure" in run("check", "local")[1]


def test_a_check_for_machines(engine: Engine) -> None:
    (found,) = json.loads(run("check", "--json")[1])["hosts"]
    assert (found["host"], found["version"], found["engine_id"], found["containers"]) == (
        "local",
        "20.10.24",
        "SIM:1",
        1,
    )
    assert (found["error"], found["is_another_engine"]) == ("", False)


def test_what_a_daemon_says_of_itself_reaches_no_terminal_unescaped() -> None:
    version = b'{"ApiVersion":"1.41","Version":"1\\u001b[31m\\n\\u0000%s"}' % (b"x" * 9_999)
    answers = {
        "/version": lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(version), version],
        "/info": lambda: [b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"ID":"A"}'],
        "/containers/json": lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"],
    }
    with hostile(answers) as daemon:
        Host.objects.update(url=daemon.url)
        code, printed, _ = run("check", "local")
    assert (code, printed.rstrip("\n").isprintable(), len(printed) < 500) == (0, True, True)
    assert "\\x1b[31m" in printed


@pytest.mark.parametrize("recorded", ["SIM:0", ""])
def test_another_engine_than_before_is_named(engine: Engine, recorded: str) -> None:
    Host.objects.update(engine_id=recorded)
    assert run("check")[1].rstrip().endswith("NOT the Engine that was there before")


def test_a_check_names_a_missing_tls_file(engine: Engine, tmp_path: Path) -> None:
    Host.objects.update(tls_ca=str(tmp_path / "ca.pem"))
    assert str(tmp_path / "ca.pem") in run("check")[1]


# enable, disable, remove


def test_hosts_are_disabled_and_enabled() -> None:
    Host.objects.create(name="west")
    assert run("disable", "local", "west")[1] == "disabled: local, west\n"
    assert not Host.objects.filter(enabled=True).exists()
    assert run("enable", "west")[1] == "enabled: west\n"
    assert list(Host.objects.filter(enabled=True).values_list("name", flat=True)) == ["west"]


def test_a_host_is_removed() -> None:
    Host.objects.create(name="west")
    assert run("remove", "west")[1] == "host west removed, and 0 rows with it\n"
    assert names() == ["local"]


def test_a_host_with_rows_is_not_removed_without_a_word() -> None:
    west = Host.objects.create(name="west")
    Container.objects.create(id="shop:web@west", workload_id="shop", host=west, container_id=cid("web"))
    code, _, error = run("remove", "west")
    assert (code, error) == (
        1,
        "host west has 1 rows, which its removal would leave without a host; disable it, or remove it --with-rows",
    )
    assert run("remove", "west", "--with-rows")[1] == "host west removed, and 1 rows with it\n"
    assert (names(), Container.objects.count()) == (["local"], 0)


def test_host_local_stays() -> None:
    code, _, error = run("remove", "local")
    assert (code, names()) == (1, ["local"])
    assert "manage.py host disable local" in error


@pytest.mark.parametrize("act", ["check", "enable", "disable", "remove"])
def test_a_host_nobody_knows_is_named(act: str) -> None:
    code, _, error = run(act, "atlantis")
    assert (code, error) == (1, "unknown host atlantis; known: local")


def test_an_act_is_needed() -> None:
    with pytest.raises(CommandError, match="required"):
        call_command("host")


def test_a_pass_of_a_host_just_removed_fails_and_says_so() -> None:
    gone = Host.objects.create(name="west")
    Host.objects.filter(name="west").delete()
    report = reconcile(gone, FakeEngine(), trigger=Trigger.TICK)
    assert (report.outcome, report.error) == ("failed", "unknown host west; known: local")
