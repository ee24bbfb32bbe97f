"""A deploy says so: leases on workloads and rows, which end by themselves or when they are given back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.utils import timezone

from reconciler import leases
from reconciler.api import BadValue, UnknownRow, UnknownWorkload, begin_deployment, end_deployment
from reconciler.leases import Target, note_ends
from reconciler.models import Container, Deployment, Feed, Host, Transition, Workload
from reconciler.prune import prune
from reconciler.tasks import reconcile as tick
from tests.builders import certain, cid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shop")]

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SHOP, WEB = Target("shop", ""), Target("", "shop:web")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(local: Host) -> None:
    """A workload with two rows, and a row of another workload."""
    Workload.objects.create(id="shop", ref_id="shop")
    for row_id in ("blog:web", "shop:db", "shop:web"):
        Container.objects.create(id=row_id, workload_id=row_id.split(":")[0], container_id=cid(row_id), state="running")


def begin(target: Target = SHOP, lasts: timedelta = 10 * MINUTE, at: datetime = NOON, by: str = "") -> Deployment:
    return leases.begin(target, lasts, by, at)


def deploying(at: datetime) -> list[str]:
    return list(Container.objects.deploying(at).values_list("id", flat=True))


def told() -> list[tuple[str, str, str, str]]:
    entries = Transition.objects.filter(kind="deployment").order_by("id")
    return [(entry.workload_id, entry.row_id, entry.from_state, entry.to_state) for entry in entries]


# which rows are being deployed


def test_all_rows_of_a_workload_are_deployed_with_it() -> None:
    begin(SHOP)
    assert deploying(NOON) == ["shop:db", "shop:web"]


def test_a_row_is_deployed_by_itself() -> None:
    begin(WEB)
    assert deploying(NOON) == ["shop:web"]


def test_a_row_without_a_workload_is_not_deployed_with_the_single_rows_of_others() -> None:
    Container.objects.filter(id="blog:web").update(workload_id="")
    begin(WEB)
    assert deploying(NOON) == ["shop:web"]


@pytest.mark.parametrize(("minutes", "found"), [(-1, []), (0, ["shop:web"]), (9.99, ["shop:web"]), (10, []), (60, [])])
def test_a_deploy_ends_by_itself_and_no_process_has_to_end_it(minutes: float, found: list[str]) -> None:
    begin(WEB)
    assert deploying(NOON + minutes * MINUTE) == found


def test_a_deploy_that_was_given_back_is_over() -> None:
    begin(WEB)
    leases.end(WEB, "", NOON + 2 * MINUTE)
    assert deploying(NOON + 2 * MINUTE) == []


def test_what_was_deployed_at_a_moment_is_known_afterwards() -> None:
    begin(WEB)
    leases.end(WEB, "", NOON + 2 * MINUTE)
    begin(WEB, at=NOON + 30 * MINUTE)
    assert [deploying(NOON + minutes * MINUTE) for minutes in (1, 3, 31)] == [["shop:web"], [], ["shop:web"]]


def test_rows_say_whether_they_are_being_deployed() -> None:
    begin(WEB)
    found = {row.id: row.is_deploying for row in Container.objects.with_deploying(NOON)}  # type: ignore[attr-defined]
    assert found == {"blog:web": False, "shop:db": False, "shop:web": True}


def test_the_question_is_one_query(django_assert_num_queries: Any) -> None:
    """I11."""
    begin(SHOP)
    begin(WEB)
    with django_assert_num_queries(1):
        assert len(Container.objects.with_deploying(NOON)) == 3


# prolonging


def test_a_deploy_is_prolonged_by_saying_it_again() -> None:
    begin(SHOP)
    lease = begin(SHOP, at=NOON + 5 * MINUTE)
    assert (lease.began_at, lease.ends_at) == (NOON, NOON + 15 * MINUTE)
    assert Deployment.objects.count() == 1


def test_who_says_it_for_a_shorter_time_does_not_shorten_it() -> None:
    begin(SHOP)
    assert begin(SHOP, MINUTE).ends_at == NOON + 10 * MINUTE


def test_a_deploy_that_has_ended_by_itself_begins_anew() -> None:
    begin(SHOP)
    lease = begin(SHOP, at=NOON + 20 * MINUTE)
    assert (lease.began_at, lease.ends_at) == (NOON + 20 * MINUTE, NOON + 30 * MINUTE)
    first = Deployment.objects.earliest("id")
    assert first.ended_at == NOON + 10 * MINUTE


def test_a_workload_and_its_row_have_deploys_of_their_own() -> None:
    begin(SHOP)
    begin(WEB)
    leases.end(SHOP, "", NOON + MINUTE)
    assert deploying(NOON + MINUTE) == ["shop:web"]


# bounds


@pytest.mark.parametrize("lasts", [timedelta(), timedelta(minutes=30, seconds=1), -MINUTE, timedelta(milliseconds=999)])
def test_a_deploy_lasts_30_minutes_at_most(lasts: timedelta) -> None:
    with pytest.raises(BadValue, match="1 second to 30 minutes"):
        begin(SHOP, lasts)


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (Target("", ""), BadValue, "name one of them"),
        (Target("shop", "shop:web"), BadValue, "name one of them"),
        (Target("shap", ""), UnknownWorkload, "no workload 'shap'"),
        (Target("", "shop:wab"), UnknownRow, "no container row 'shop:wab'"),
    ],
)
def test_what_is_not_there_cannot_be_deployed(target: Target, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        begin(target)


def test_a_workload_that_only_rows_name_can_be_deployed() -> None:
    begin(Target("blog", ""))
    assert deploying(NOON) == ["blog:web"]


def test_it_cannot_be_said_within_a_transaction_because_all_passes_would_wait_for_its_end() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        begin_deployment(workload="shop")


# wrong clocks


def test_a_deploy_that_a_clock_ahead_has_begun_can_be_begun_again() -> None:
    begin(SHOP, at=NOON + timedelta(days=1))
    assert deploying(NOON) == []
    lease = begin(SHOP)
    assert (lease.began_at, lease.ends_at, deploying(NOON)) == (NOON, NOON + 10 * MINUTE, ["shop:db", "shop:web"])


def test_a_deploy_that_a_clock_a_little_ahead_has_begun_is_taken_back_to_now() -> None:
    begin(SHOP, at=NOON + 5 * MINUTE)
    assert begin(SHOP).began_at == NOON


def test_a_deploy_that_is_given_back_before_it_began_lasts_no_time() -> None:
    begin(SHOP, at=NOON + 5 * MINUTE)
    lease = certain(leases.end(SHOP, "", NOON))
    assert (lease.began_at, lease.ended_at) == (NOON, NOON)


def test_an_end_that_is_too_far_away_comes_with_the_next_tick() -> None:
    begin(SHOP, at=NOON + timedelta(days=1))
    note_ends(NOON)
    assert Deployment.objects.get().ended_at == NOON


# the feed


def test_the_feed_tells_when_a_deploy_begins_is_prolonged_and_ends() -> None:
    """I16."""
    begin(SHOP, by="ci")
    begin(SHOP, by="ci")
    leases.end(SHOP, "ci", NOON + MINUTE)
    assert told() == [
        ("shop", "", "", "deploying"),
        ("shop", "", "deploying", "deploying"),
        ("shop", "", "deploying", "deployed"),
    ]
    causes = list(Transition.objects.order_by("id").values_list("cause", flat=True))
    assert causes == [
        "a deploy began by ci; it ends by itself at 12:10:00 UTC",
        "a deploy was prolonged by ci; it ends by itself at 12:10:00 UTC",
        "the deploy was given back by ci",
    ]


def test_the_feed_tells_where_a_row_is_that_is_deployed() -> None:
    begin(WEB)
    entry = Transition.objects.get()
    assert (entry.kind, entry.row_id, entry.workload_id, entry.host_id) == ("deployment", "shop:web", "shop", "local")


def test_a_tick_tells_which_deploys_have_ended_by_themselves_and_when() -> None:
    """I16."""
    begin(SHOP)
    begin(WEB, 20 * MINUTE)
    note_ends(NOON + 15 * MINUTE)
    note_ends(NOON + 15 * MINUTE)
    assert told()[2:] == [("shop", "", "deploying", "deployed")]
    assert Transition.objects.latest("id").at == Deployment.objects.earliest("id").ended_at == NOON + 10 * MINUTE


def test_the_workers_tick_notices_the_end(valkey: Any) -> None:
    lease = begin(SHOP, at=timezone.now() - 20 * MINUTE)
    tick("tick")
    assert (told()[-1][-1], Deployment.objects.get().ended_at) == ("deployed", lease.ends_at)


def test_an_end_that_nobody_has_noticed_is_told_before_the_next_beginning() -> None:
    """I16."""
    begin(SHOP)
    begin(SHOP, at=NOON + 20 * MINUTE)
    assert [to_state for *_, to_state in told()] == ["deploying", "deployed", "deploying"]


def test_who_gives_back_what_has_ended_by_itself_is_told_so() -> None:
    begin(SHOP)
    assert leases.end(SHOP, "", NOON + 20 * MINUTE) is None
    assert Transition.objects.latest("id").cause == "the deploy was not given back, and ended by itself"
    assert leases.end(SHOP, "", NOON + 20 * MINUTE) is None


def test_no_deploy_is_a_step_of_a_rows_history() -> None:
    begin(WEB)
    assert not Transition.objects.of("shop:web").exists()


def test_the_name_of_who_deploys_can_always_be_stored() -> None:
    lease = begin(SHOP, by="a\0b" + "x" * 1000)
    assert (lease.by[:7], len(lease.by) < 200) == (r"a\x00bx", True)


# its end


def test_deploys_are_kept_as_long_as_transitions() -> None:
    now = timezone.now()
    begin(SHOP, at=now - timedelta(days=91))
    begin(WEB, at=now - timedelta(days=89))
    note_ends(now)
    prune(now)
    assert [lease.target for lease in Deployment.objects.all()] == ["row shop:web"]


@pytest.mark.django_db(transaction=True)
def test_many_who_deploy_one_workload_share_its_deploy_and_the_latest_end_holds() -> None:
    """I5."""

    def deploy(number: int) -> None:
        try:
            leases.begin(SHOP, (16 - number) * MINUTE, f"deployer {number}", NOON)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deploy, range(16)))
    assert Deployment.objects.get().ends_at == NOON + 16 * MINUTE
    assert [from_state for _, _, from_state, _ in told()] == ["", *["deploying"] * 15]


# the command


def run(*words: str) -> str:
    out = StringIO()
    call_command("deploying", *words, stdout=out)
    return out.getvalue().strip()


def test_the_command_begins_a_deploy_and_ends_it() -> None:
    assert "workload shop is being deployed, until " in run("shop")
    lease = Deployment.objects.get()
    assert lease.ends_at - lease.began_at == 10 * MINUTE
    assert deploying(timezone.now()) == ["shop:db", "shop:web"]
    assert run("shop", "--end") == "the deploy of workload shop is over"
    assert deploying(timezone.now()) == []


def test_the_command_deploys_a_single_row_for_as_long_as_it_is_told() -> None:
    assert run("shop:web", "--row", "--for", "90s").startswith("row shop:web is being deployed, until ")
    lease = Deployment.objects.get()
    assert (lease.row_id, lease.ends_at - lease.began_at) == ("shop:web", timedelta(seconds=90))


def test_the_command_says_that_there_is_nothing_to_end() -> None:
    assert run("shop", "--end") == "shop is not being deployed"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("shap",), "no workload 'shap'"),
        (("shop", "--for", "31m"), "1 second to 30 minutes"),
        (("shop", "--for", "soon"), "'soon' is no duration"),
        (("shop", "--row"), "no container row 'shop'"),
    ],
)
def test_the_command_says_what_is_wrong(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(CommandError, match=why) as error:
        run(*words)
    assert error.value.returncode == 1


def test_the_public_functions_go_by_the_clock() -> None:
    before = timezone.now()
    lease = begin_deployment(row="shop:web", lasts=MINUTE, by="ci")
    assert before + MINUTE <= lease.ends_at <= timezone.now() + MINUTE
    assert certain(end_deployment(row="shop:web", by="ci")).ended_at
    assert Feed.of_this_database().newest()
