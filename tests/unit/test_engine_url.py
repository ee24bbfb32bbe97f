"""Which URLs an Engine may have, and that no password is shown."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.core.engine_url import (
    EngineUrl,
    engine_url_problem,
    parse_engine_url,
    scheme_of,
    shown_url,
    without_password,
)

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("unix:///run/docker.sock", EngineUrl(scheme="unix", path="/run/docker.sock")),
        ("unix:///a b/ü@?#.sock", EngineUrl(scheme="unix", path="/a b/ü@?#.sock")),
        ("tcp://west.example:2375", EngineUrl(scheme="tcp", host="west.example", port=2375)),
        ("TCP://west:2375/", EngineUrl(scheme="tcp", host="west", port=2375)),
        ("https://west_1:1", EngineUrl(scheme="https", host="west_1", port=1)),
        ("http://127.0.0.1:65535", EngineUrl(scheme="http", host="127.0.0.1", port=65_535)),
        ("tcp://[::1]:2375", EngineUrl(scheme="tcp", host="::1", port=2375)),
        ("ssh://west", EngineUrl(scheme="ssh", host="west")),
        ("ssh://ops@west:2222", EngineUrl(scheme="ssh", user="ops", host="west", port=2222)),
        ("ssh://o.p-s_1@[fe80::1]", EngineUrl(scheme="ssh", user="o.p-s_1", host="fe80::1")),
    ],
)
def test_a_url_of_plain_characters_is_taken_apart(url: str, parts: EngineUrl) -> None:
    assert parse_engine_url(url) == parts
    assert shown_url(url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "its scheme is none of"),
        ("west:2375", "its scheme is none of"),
        ("ftp://west", "its scheme is none of"),
        ("unix://", "it names no socket"),
        ("unix:///", "it names no socket"),
        ("unix://run/docker.sock", "it names no socket"),
        ("tcp://", "it names no machine with its port"),
        ("tcp://:2375", "it names no machine with its port"),
        ("tcp://west", "it names no machine with its port"),
        ("ssh://", "it names no machine with its port"),
        ("tcp://west:0", "its port is no number"),
        ("tcp://west:65536", "its port is no number"),
        ("tcp://west:port", "its port is no number"),
        ("tcp://west:١٢", "its port is no number"),
        ("tcp://[::1:2375", "its port is no number"),
        ("tcp://west:2375?x=1", "it has more than a machine and its port"),
        ("tcp://west:2375/path", "it has more than a machine and its port"),
        ("tcp://west#x:2375", "it has more than a machine and its port"),
        ("ssh://west//", "it has more than a machine and its port"),
        ("tcp://[::1]x:2375", "its port is no number"),
        ("ssh://$(touch>p1):1", "its machine's name may hold"),
        ("ssh://a`id`:1", "its machine's name may hold"),
        ("ssh://-oProxyCommand=x", "its machine's name may hold"),
        ("ssh://-v", "its machine's name may hold"),
        ("ssh://ops@-v", "its machine's name may hold"),
        ("ssh://we%68st", "its machine's name may hold"),
        ("ssh://we st", "its machine's name may hold"),
        ("ssh://wüst", "its machine's name may hold"),
        ("ssh://[fe80::1%eth0]", "its machine's name may hold"),
        ("ssh://$(id)@west", "its user's name may hold"),
        ("ssh://-l@west", "its user's name may hold"),
        ("ssh://@west", "its user's name may hold"),
        ("ssh://a@b@west", "its user's name may hold"),
        (f"ssh://ops:{SECRET}@west", "it names a password"),
        (f"tcp://ops:{SECRET}@west:2375", "it names a user or a password"),
        ("https://ops@west:2376", "it names a user or a password"),
        ("ssh://west\n", "it holds a character that cannot be printed"),
        ("ssh://we\tst", "it holds a character that cannot be printed"),
        ("unix:///run/\0docker.sock", "it holds a character that cannot be printed"),
        (" ssh://west", "it holds a character that cannot be printed, or begins or ends with a space"),
        ("ssh://" + "w" * 600, "it is longer than 512 characters"),
    ],
)
def test_any_other_url_is_refused_and_says_why_without_its_password(url: str, problem: str) -> None:
    """I15."""
    assert engine_url_problem(url).startswith(problem)
    assert SECRET not in engine_url_problem(url)


texts = st.text(st.sampled_from("ab1.:@/?#[]-_$`'\"%\\ \n\0ü") | st.characters(), max_size=30)
schemes = st.sampled_from(["ssh://", "tcp://", "https://", "unix://", "SSH://", "ftp://", ""])


@given(schemes, texts)
@example("ssh://", "a@[::1]:22")
def test_a_url_of_a_machine_that_is_accepted_holds_nothing_that_a_shell_would_read(scheme: str, rest: str) -> None:
    """I15: its parts go into commands of ssh's configuration."""
    if engine_url_problem(scheme + rest):
        return
    parts = parse_engine_url(scheme + rest)
    for part in (parts.user, parts.host):
        assert re.fullmatch(r"[A-Za-z0-9._:-]*", part)
        assert not part.startswith("-")
    assert 0 <= parts.port <= 65_535


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"tcp://ops:{SECRET}@west:2375", "tcp://***@west:2375"),
        (f"ssh://ops:{SECRET}@west", "ssh://***@west"),
        (f"tcp://ops:{SECRET}@a@west:2375", "tcp://***@west:2375"),
        (f"tcp://ops:a/{SECRET}@west:2375", "tcp://***@west:2375"),
        (f"tcp://west:2375?token={SECRET}", "tcp://west:2375?***"),
        (f"redis://:{SECRET}", "redis://***"),
        (f"redis://:{SECRET}/0", "redis://***/0"),
        (f"ops:{SECRET}@west", "***@west"),
        ("nonsense", "nonsense"),
        ("tcp://west", "tcp://west"),
        ("tcp://we\x1b[31mst:1", "tcp://we\\x1b[31mst:1"),
    ],
)
def test_a_url_that_is_not_accepted_is_shown_without_secrets_and_printable(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(schemes, st.text(st.characters(exclude_characters="@/?"), max_size=20), texts)
def test_what_stands_before_the_last_at_sign_is_never_shown(scheme: str, user: str, rest: str) -> None:
    shown = without_password(f"{scheme}{user}:{SECRET}@{rest}")
    assert SECRET not in shown


@given(st.text(max_size=700))
def test_whatever_stands_in_the_place_of_a_url_can_be_shown(url: str) -> None:
    """I15: a program may have written anything."""
    assert shown_url(url).isprintable()


@pytest.mark.parametrize(
    ("url", "scheme"), [("TCP://edge:1", "tcp"), ("unix:///run/x", "unix"), ("nothing", "nothing")]
)
def test_the_scheme_is_what_stands_before_the_place(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme
