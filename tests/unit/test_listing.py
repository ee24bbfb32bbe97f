"""What a listing's body says, item by item, and which items are refused with which words."""

import json

import pytest

from reconciler.core.listing import BadListing, decode_listing
from reconciler.core.observation import Observation, Reason, Skip

SOUND: dict[str, object] = {"Id": "a" * 64, "Names": ["/web"], "Image": "app:1", "State": "running", "Created": 7}
MALFORMED = Reason.MALFORMED


def listing(*items: object) -> bytes:
    return json.dumps(items).encode()


def item(**fields: object) -> dict[str, object]:
    return SOUND | fields


def seen(**fields: object) -> Observation:
    """Return the only container of a listing whose item has these fields."""
    (observation,) = decode_listing(listing(item(**fields))).observations
    return observation


def refused(**fields: object) -> Skip:
    """Return why the only item of a listing is refused."""
    snapshot = decode_listing(listing(item(**fields)))
    assert snapshot.observations == ()
    (refusal,) = snapshot.refusals
    return refusal


def test_an_item_is_read() -> None:
    said = seen(Labels={"a": "b"}, Status="Up 3 seconds (healthy)", Ports=[{"PrivatePort": 80, "Type": "tcp"}])
    assert (said.container_id, said.name, said.image, said.state) == ("a" * 64, "web", "app:1", "running")
    assert (said.labels, said.port, said.created, said.health) == ({"a": "b"}, 80, 7, "healthy")
    assert (said.exit_code, said.up_seconds, said.ended_seconds) == (None, 3, None)


def test_an_ended_container_says_with_which_code_and_when() -> None:
    said = seen(State="exited", Status="Exited (3) 5 seconds ago")
    assert (said.state, said.exit_code, said.up_seconds, said.ended_seconds) == ("stopped", 3, None, 5)


@pytest.mark.parametrize("absent", ["Names", "Image", "Created", "Labels", "Ports", "Status"])
def test_what_is_absent_is_empty(absent: str) -> None:
    (said,) = decode_listing(listing({name: value for name, value in item().items() if name != absent})).observations
    assert said.container_id == "a" * 64


@pytest.mark.parametrize("field", ["Names", "Labels", "Ports"])
def test_what_is_null_is_empty(field: str) -> None:
    said = seen(**{field: None})
    assert (said.labels, said.port) == ({}, 0)


def test_a_container_without_a_name_has_none() -> None:
    assert seen(Names=[]).name == ""


def test_a_name_is_kept_up_to_its_limit() -> None:
    assert seen(Names=["/" + "x" * 300]).name == "x" * 255


def test_the_port_is_one_of_several() -> None:
    ports = [{"PrivatePort": 53, "Type": "udp"}, {"PrivatePort": 8080, "Type": "tcp"}, {"PrivatePort": 443}]
    assert seen(Ports=ports).port == 443


@pytest.mark.parametrize("port", [0, 65_535])
def test_a_port_at_the_end_of_its_range_is_read(port: int) -> None:
    assert seen(Ports=[{"PrivatePort": port}]).port == port


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    sound = {"PrivatePort": 80}
    assert refused(Ports=[sound, {"PrivatePort": port}]) == Skip("a" * 64, "web", MALFORMED, "a port is out of range")


@pytest.mark.parametrize(
    ("said", "health"),
    [
        ({"Status": "unhealthy"}, "unhealthy"),
        ({"Status": "none"}, ""),
        ({"Status": 7}, ""),
        ({}, ""),
        ("healthy", ""),
        (None, ""),
    ],
)
def test_health_of_its_own_is_read_if_it_makes_sense(said: object, health: str) -> None:
    assert seen(Health=said).health == health


def test_health_of_its_own_counts_more_than_that_in_the_status() -> None:
    assert seen(Health={"Status": "unhealthy"}, Status="Up 2 hours (healthy)").health == "unhealthy"


@pytest.mark.parametrize("state", ["exited", "paused", "dead"])
def test_a_container_that_does_not_run_has_no_health_whatever_was_found_last(state: str) -> None:
    """From API 1.52 on, a stopped container with a health check is listed as unhealthy."""
    assert seen(State=state, Health={"Status": "unhealthy"}, Status="Exited (0) 2 hours ago").health == ""


def test_health_is_not_known_where_listings_never_tell_it() -> None:
    """So does Podman; if one says it after all, it is taken."""
    items = [{"Id": "a" * 64, "State": "running", "Status": "Up 2 hours"}]
    items += [{"Id": "b" * 64, "State": "running", "Status": "Up 2 hours (healthy)"}]
    items += [{"Id": "c" * 64, "State": "exited", "Status": "Exited (0) 2 hours ago"}]
    found = decode_listing(json.dumps(items).encode(), tells_health=False).observations
    assert [each.health for each in found] == [None, "healthy", ""]


def test_a_status_that_is_too_long_says_nothing() -> None:
    assert seen(Status="Up 3 seconds" + " " * 244).up_seconds == 3
    assert seen(Status="Up 3 seconds" + " " * 245).up_seconds is None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"State": ""}, "Id or State is empty"),
        ({"State": "Missing"}, "State is 'missing', which no daemon may say"),
        ({"State": "moved"}, "State is 'moved', which no daemon may say"),
        ({"State": "x" * 33}, "State is longer than 32 characters"),
        ({"State": "run\u0000ning"}, "State is holds a character that cannot be printed or stored"),
        ({"Image": "x" * 513}, "Image is longer than 512 characters"),
        ({"Image": "a\u0000b"}, "Image is holds a character that cannot be printed or stored"),
        ({"Image": "a\u202eb"}, "Image is holds a character that cannot be printed or stored"),
        ({"Labels": 5}, "Expected `object | null`, got `int` - at `$.Labels`"),
    ],
)
def test_a_text_that_cannot_be_used_is_refused_by_its_field(fields: dict[str, object], problem: str) -> None:
    refusal = refused(**fields)
    assert (refusal.container_id, refusal.name, refusal.reason) == ("a" * 64, "web", MALFORMED)
    assert refusal.detail == problem


@pytest.mark.parametrize("fields", [{"State": "x" * 32}, {"Image": "x" * 512}])
def test_a_text_at_its_limit_is_read(fields: dict[str, object]) -> None:
    assert seen(**fields).container_id == "a" * 64


@pytest.mark.parametrize("container_id", ["", "a\u0000b", 7, None])
def test_an_item_without_a_readable_id_stands_for_any_container(container_id: object) -> None:
    refusal = refused(Id=container_id)
    assert (refusal.container_id, refusal.name) == ("", "")
    assert refusal.detail.endswith("; its Id is unreadable, so nothing may go missing")


def test_an_id_that_is_too_long_is_refused_and_shown_in_part() -> None:
    refusal = refused(Id="a" * 200)
    assert (refusal.container_id, refusal.detail) == ("a" * 128, "Id is longer than 64 characters")


@pytest.mark.parametrize(
    ("names", "name"), [(["/web"], "web"), (["/w\u0000b"], "w\\x00b"), ([], ""), ([7], ""), ("/web", ""), (None, "")]
)
def test_a_refused_item_is_named_as_well_as_can_be(names: object, name: str) -> None:
    assert refused(Names=names, State="").name == name


def test_a_container_that_is_listed_twice_is_read_once() -> None:
    snapshot = decode_listing(listing(item(), item(State="exited")))
    assert [said.state for said in snapshot.observations] == ["running"]
    assert snapshot.refusals == (Skip("a" * 64, "web", Reason.DUPLICATE, "listed more than once"),)


def test_a_refused_item_hides_no_other() -> None:
    """I8."""
    snapshot = decode_listing(listing(item(State=""), item(Id="b" * 64), "text", 7, None, []))
    assert [said.container_id for said in snapshot.observations] == ["b" * 64]
    assert len(snapshot.refusals) == 5


def test_text_that_is_no_unicode_spoils_its_item_alone() -> None:
    """I8."""
    body = b'[{"Id": "a", "State": "running", "Image": "\xff"}, {"Id": "b", "State": "running"}]'
    snapshot = decode_listing(body)
    assert [said.container_id for said in snapshot.observations] == ["b"]
    assert [(skip.container_id, skip.reason) for skip in snapshot.refusals] == [("a", MALFORMED)]


@pytest.mark.parametrize("body", [b"null", b"{}", b'"[]"', b"7", b'"\xff"', b"NaN"])
def test_a_body_that_is_not_a_list_is_refused(body: bytes) -> None:
    with pytest.raises(BadListing, match="answered with something that is not a list"):
        decode_listing(body)


@pytest.mark.parametrize(
    ("body", "begins"),
    [(b"", r"\(an empty body\)"), (b"<html>", "it begins b'<html>'"), (b'[{"Id": "a"},', "it begins"), (b"[][]", "it")],
)
def test_a_body_that_is_not_json_is_refused_and_its_beginning_shown(body: bytes, begins: str) -> None:
    with pytest.raises(BadListing, match=rf"answered with something that is not JSON: .*{begins}"):
        decode_listing(body)


def test_a_body_that_is_nested_too_deep_is_refused_also_if_it_is_not_quite_json() -> None:
    with pytest.raises(BadListing, match="answered with JSON nested too deep to read"):
        decode_listing(b"[NaN," + b"[" * 100_000)


def test_no_more_than_the_beginning_of_a_body_is_shown() -> None:
    with pytest.raises(BadListing) as caught:
        decode_listing(b"<" + b"x" * 1000)
    assert len(str(caught.value)) < 200


def test_an_empty_list_is_an_empty_answer() -> None:
    """I1."""
    assert decode_listing(b"[]").size == 0
