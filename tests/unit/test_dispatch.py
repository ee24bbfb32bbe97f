"""The dispatch matrix: every path × joins × role, kind, stage, instance, ports, replicas, one-offs."""

import pytest

from reconciler.core import labels
from reconciler.core.dispatch import Row, claim_all, dispatch_all, lookup_keys
from reconciler.core.identities import Catalogue, InstanceFacts
from reconciler.core.observation import Observation, Reason
from tests.builders import cid, compose, container, instance, site, workload

MOST = "m" * labels.MAX_VALUE_CHARS
KNOWN = Catalogue(
    workload_kinds={"shop": "project", "blog": "site"},
    workloads={("project", "p1"): "shop", ("site", "s1"): "blog", ("stack", "st1"): "mail"},
    instances={
        "i1": InstanceFacts("p1", 8080, "v2", "shop.example", "route-1", 7),
        "i2": InstanceFacts("p1", 0, "v2", "", "", 0),
        "i3": InstanceFacts("nobody", 0, "", "", "", 0),
    },
    stacks={"tinyforge-mail": "st1", "tinyforge-lost": "st9"},
)
MAIL = compose("tinyforge-mail", "smtp")
REPLICA_2 = {labels.COMPOSE_NUMBER: "2"}


def dispatched(*label_maps: dict[str, str], host: str = "local", name: str = "c", port: int = 0) -> object:
    """Return the row, the reason for the skip, or None for a container that is not ours."""
    managed, skips = claim_all([container(name, *label_maps, port=port)])
    if skips:
        return skips[0].reason
    if not managed:
        return None
    sightings, skips = dispatch_all(managed, KNOWN, host)
    return sightings[0].row if sightings else skips[0].reason


def place(found: object) -> object:
    """Return (row id, workload, kind, role, port) of a row, and anything else as it is."""
    if isinstance(found, Row):
        return found.id, found.workload_id, found.workload_kind, found.role, found.port
    return found


@pytest.mark.parametrize(
    ("label_maps", "expected"),
    [
        # 1 · tinyforge.workload.id: no join, an unknown workload still gets its row
        ([workload("shop", role="web", kind="project")], ("shop:web", "shop", "project", "web", 0)),
        ([workload("shop", role="web")], ("shop:web", "shop", "project", "web", 0)),
        ([workload("gone", role="web")], ("gone:web", "gone", "", "web", 0)),
        ([workload("gone", role="web", kind="stack")], ("gone:web", "gone", "stack", "web", 0)),
        ([workload("shop", kind="project", instance="i1")], ("i1", "shop", "project", "", 0)),
        ([workload("shop", kind="project", instance="i1", role="web")], ("i1", "shop", "project", "web", 0)),
        ([workload("shop", instance="i1")], ("i1", "shop", "project", "", 0)),
        ([workload("shop", kind="project", instance="no-such")], ("no-such", "shop", "project", "", 0)),
        ([workload("blog", instance="i1")], ("blog:site", "blog", "site", "", 0)),
        ([workload("blog", kind="site")], ("blog:site", "blog", "site", "", 0)),
        ([workload("blog")], ("blog:site", "blog", "site", "", 0)),
        ([workload("blog", kind="site", role="cdn")], ("blog:cdn", "blog", "site", "cdn", 0)),
        ([workload("mail", kind="stack")], (f"mail:{cid('c')}", "mail", "stack", "", 0)),
        ([workload("gone")], (f"gone:{cid('c')}", "gone", "", "", 0)),
        ([workload("shop", role="web"), REPLICA_2], ("shop:web:2", "shop", "project", "web", 0)),
        ([workload("shop", role="web"), {labels.COMPOSE_NUMBER: "1"}], ("shop:web", "shop", "project", "web", 0)),
        ([workload("shop", role="web"), {labels.COMPOSE_NUMBER: ""}], ("shop:web", "shop", "project", "web", 0)),
        ([workload("shop", kind="project", instance="i1"), REPLICA_2], ("i1:2", "shop", "project", "", 0)),
        ([workload("shop", role="web"), {labels.COMPOSE_ONE_OFF: "True"}], Reason.ONE_OFF),
        ([workload("shop", role="web"), {labels.COMPOSE_ONE_OFF: "False"}], ("shop:web", "shop", "project", "web", 0)),
        # 2 · tinyforge.instance-id: instance → project workload
        ([instance("i1")], ("i1", "shop", "project", "", 8080)),
        ([instance("i1", stage="production")], ("i1", "shop", "project", "production", 8080)),
        ([instance("i2")], ("i2", "shop", "project", "", 0)),
        ([instance("i1"), REPLICA_2], ("i1:2", "shop", "project", "", 8080)),
        ([instance("i1"), {labels.ROLE: "ignored"}], ("i1", "shop", "project", "", 8080)),
        ([instance("no-such")], Reason.UNKNOWN_INSTANCE),
        ([instance("i3")], Reason.UNKNOWN_WORKLOAD),
        ([instance("i1"), {labels.COMPOSE_ONE_OFF: "true"}], Reason.ONE_OFF),
        # 3 · tinyforge.static-site: site workload, role empty
        ([site("s1")], ("blog:site", "blog", "site", "", 0)),
        ([site("s1"), {labels.ROLE: "ignored"}], ("blog:site", "blog", "site", "", 0)),
        ([site("s1"), REPLICA_2], ("blog:site:2", "blog", "site", "", 0)),
        ([site("no-such")], Reason.UNKNOWN_WORKLOAD),
        ([site("s1"), {labels.COMPOSE_ONE_OFF: "True"}], Reason.ONE_OFF),
        # 4 · com.docker.compose.project: stack → stack workload
        ([compose("tinyforge-mail", "smtp")], ("mail:smtp", "mail", "stack", "smtp", 0)),
        ([compose("tinyforge-mail", "smtp", number=1)], ("mail:smtp", "mail", "stack", "smtp", 0)),
        ([compose("tinyforge-mail", "smtp", number=3)], ("mail:smtp:3", "mail", "stack", "smtp", 0)),
        ([compose("tinyforge-mail")], ("mail:c", "mail", "stack", "c", 0)),
        ([compose("tinyforge-mail", "smtp", one_off=True)], Reason.ONE_OFF),
        ([compose("tinyforge-none", "smtp")], Reason.UNKNOWN_STACK),
        ([compose("tinyforge-lost", "smtp")], Reason.UNKNOWN_WORKLOAD),
        ([compose("somebody-else", "smtp")], None),
        # precedence: the first label that is present and not empty decides, without fall-through
        ([workload("gone", role="web"), instance("i1"), site("s1"), MAIL], ("gone:web", "gone", "", "web", 0)),
        ([workload("shop", role="web"), instance("i1"), site("s1")], ("i1", "shop", "project", "web", 0)),
        ([instance("i1"), site("s1"), compose("tinyforge-mail", "smtp")], ("i1", "shop", "project", "", 8080)),
        ([site("s1"), compose("tinyforge-mail", "smtp")], ("blog:site", "blog", "site", "", 0)),
        ([instance("no-such"), site("s1")], Reason.UNKNOWN_INSTANCE),
        ([site("no-such"), compose("tinyforge-mail", "smtp")], Reason.UNKNOWN_WORKLOAD),
        ([{labels.WORKLOAD_ID: ""}, instance("i1")], ("i1", "shop", "project", "", 8080)),
        ([{labels.WORKLOAD_ID: "", labels.INSTANCE_ID: ""}, site("s1")], ("blog:site", "blog", "site", "", 0)),
        ([{labels.STATIC_SITE: ""}, compose("tinyforge-mail", "smtp")], ("mail:smtp", "mail", "stack", "smtp", 0)),
        ([{labels.WORKLOAD_ID: ""}], None),
        # not ours
        ([{}], None),
        ([{labels.ROLE: "web", labels.STAGE: "production"}], None),
        ([compose("somebody-else", "smtp", one_off=True)], None),
        # unusable values
        ([workload("x" * 129)], Reason.BAD_LABEL),
        ([workload("nul\0inside")], Reason.BAD_LABEL),
        ([workload("shop", role="two\nlines")], Reason.BAD_LABEL),
        ([workload("shop", role="r" * 129)], Reason.BAD_LABEL),
        ([workload("shop", kind="\ud800")], Reason.BAD_LABEL),
        ([instance("x" * 129)], Reason.BAD_LABEL),
        ([instance("nul\0inside")], Reason.BAD_LABEL),
        ([instance("i1"), {labels.STAGE: "\ud800"}], Reason.BAD_LABEL),
        ([workload("shop"), {labels.INSTANCE_ID: "two\nlines"}], Reason.BAD_LABEL),
        ([site("nul\0inside")], Reason.BAD_LABEL),
        ([compose("tinyforge-mail\0", "smtp")], Reason.BAD_LABEL),
        ([compose("tinyforge-mail", "s" * 129)], Reason.BAD_LABEL),
        ([workload(MOST, role=MOST, kind="stack")], (f"{MOST}:{MOST}", MOST, "stack", MOST, 0)),
        ([compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "two"}], Reason.BAD_LABEL),
        ([compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "0"}], Reason.BAD_LABEL),
        ([compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "-1"}], Reason.BAD_LABEL),
        ([compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "9" * 40}], Reason.BAD_LABEL),
        ([compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "²"}], Reason.BAD_LABEL),
    ],
)  # fmt: skip
def test_dispatch_matrix(label_maps: list[dict[str, str]], expected: object) -> None:
    assert place(dispatched(*label_maps)) == expected


@pytest.mark.parametrize(
    ("label_maps", "row_id"),
    [
        ([workload("shop", role="web")], "shop:web@east"),
        ([workload("shop", role="web"), REPLICA_2], "shop:web:2@east"),
        ([workload("gone")], f"gone:{cid('c')}@east"),
        ([site("s1")], "blog:site@east"),
        ([compose("tinyforge-mail", "smtp")], "mail:smtp@east"),
        ([instance("i1")], "i1"),
        ([workload("shop", kind="project", instance="i1")], "i1"),
    ],
)
def test_a_row_of_another_host_bears_its_name_unless_it_is_an_instance(
    label_maps: list[dict[str, str]], row_id: str
) -> None:
    """I20."""
    found = dispatched(*label_maps, host="east")
    assert isinstance(found, Row)
    assert (found.id, found.host) == (row_id, "east")


def test_an_instance_without_a_port_takes_the_containers() -> None:
    assert place(dispatched(instance("i2"), port=81)) == ("i2", "shop", "project", "", 81)


def test_an_instances_port_wins_over_the_containers() -> None:
    assert place(dispatched(instance("i1"), port=81)) == ("i1", "shop", "project", "", 8080)


def test_the_legacy_path_copies_the_deployers_columns() -> None:
    found = dispatched(instance("i1"))
    assert isinstance(found, Row)
    assert (found.image_tag, found.subdomain, found.proxy_route_id, found.npm_proxy_id) == (
        "v2",
        "shop.example",
        "route-1",
        7,
    )


def test_only_the_legacy_path_copies() -> None:
    managed, _ = claim_all([container("c", workload("shop", kind="project", instance="i1"))])
    assert [found.copies for found in dispatch_all(managed, KNOWN, "local")[0]] == [False]


def test_a_compose_container_without_service_or_name_is_skipped() -> None:
    assert dispatched(compose("tinyforge-mail"), name="") is Reason.NO_NAME


def test_a_name_too_long_for_a_role_is_skipped() -> None:
    assert dispatched(compose("tinyforge-mail"), name="n" * 129) is Reason.NO_NAME


def test_a_bad_label_names_itself() -> None:
    _, skips = claim_all([container("c", workload("shop", role="nul\0"))])
    assert skips[0].detail == r"label tinyforge.role='nul\x00': holds a character that cannot be printed or stored"


@pytest.mark.parametrize(("chars", "shown"), [(40, "x" * 40), (41, "x" * 39 + "\\u2026")])
def test_a_bad_label_is_shown_up_to_forty_characters(chars: int, shown: str) -> None:
    _, skips = claim_all([container("c", compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "x" * chars})])
    assert skips[0].detail == f"label {labels.COMPOSE_NUMBER}='{shown}': not a number from 1 to 99999"


@pytest.mark.parametrize(("number", "row_id"), [("99999", "mail:smtp:99999"), ("1", "mail:smtp"), ("01", "mail:smtp")])
def test_a_replica_has_a_number_of_up_to_five_digits(number: str, row_id: str) -> None:
    found = dispatched(compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: number})
    assert isinstance(found, Row)
    assert found.id == row_id


def test_a_replica_has_no_number_of_six_digits() -> None:
    found = dispatched(compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "100000"})
    assert found is Reason.BAD_LABEL


def test_a_foreign_container_with_strange_labels_is_not_ours() -> None:
    assert claim_all([container("c", {"some.label": "nul\0", labels.COMPOSE_NUMBER: "x"})]) == ([], [])


def test_one_bad_container_hides_no_other() -> None:
    """I8."""
    observations: list[Observation] = [
        container("bad", workload("shop", role="r" * 500)),
        container("good", workload("shop", role="web")),
    ]
    managed, skips = claim_all(observations)
    assert ([m.observation.name for m in managed], [s.name for s in skips]) == (["good"], ["bad"])


def test_the_catalogue_is_asked_only_for_what_the_labels_name() -> None:
    managed, _ = claim_all(
        [
            container("a", workload("with-kind", kind="site")),
            container("b", workload("without-kind")),
            container("c", instance("i1")),
            container("d", site("s1")),
            container("e", compose("tinyforge-mail", "smtp")),
            container("f", compose("somebody-else", "smtp")),
        ]
    )
    needs = lookup_keys(managed)
    assert (needs.workload_ids, needs.instance_ids, needs.site_ids, needs.compose_projects) == (
        frozenset({"without-kind"}),
        frozenset({"i1"}),
        frozenset({"s1"}),
        frozenset({"tinyforge-mail"}),
    )


@pytest.mark.parametrize(
    ("install_id", "label", "is_ours"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", "", True),
        ("a", None, True),
        ("", "b", True),
        ("", None, True),
    ],
)
def test_a_container_of_another_installation_is_not_ours(install_id: str, label: str | None, is_ours: bool) -> None:
    claim = workload("shop", role="web") | ({} if label is None else {labels.INSTALL_ID: label})
    managed, skips = claim_all([container("web", claim)], install_id)
    assert (len(managed), skips) == (int(is_ours), [])


def test_another_installations_bad_labels_are_its_own_affair() -> None:
    assert claim_all([container("web", workload("w" * 999) | {labels.INSTALL_ID: "b"})], "a") == ([], [])
