"""No alert through a failure of ours: hosts that cannot be seen, deploys, restarts of the index, clocks (I18)."""

from datetime import timedelta

from alerts.core.conditions import Condition
from tests.unit.alerts.judging import Fleet
from tests.unit.alerts.test_judge import ENDED, fleet, heard


def test_what_no_look_has_confirmed_is_not_told() -> None:
    """I18: its delay runs out, but nobody has looked since."""
    shop = fleet()
    shop.row(state="missing")
    shop.look()
    shop.wait(300, sees=False)
    assert heard(shop) == []
    shop.look()
    assert heard(shop) == ["missing fires"]


def test_while_a_host_cannot_be_seen_its_rows_neither_fire_nor_resolve() -> None:
    """I18"""
    shop = fleet()
    shop.row("shop:gone", state="missing")
    shop.wait(80)
    shop.row("shop:gone", state="running")
    shop.row("shop:late", state="missing")
    shop.wait(30)
    shop.goes_dark()
    shop.wait(600)
    rows = [subject for _, subject, _ in shop.told if subject != "west"]
    assert rows == ["shop:gone"]


def test_time_in_which_a_host_could_not_be_seen_does_not_count() -> None:
    shop = fleet()
    shop.row(state="missing")
    shop.wait(40)
    shop.goes_dark()
    shop.wait(100)
    shop.comes_back()
    shop.look()
    assert heard(shop) == []
    shop.wait(40)
    assert heard(shop) == ["missing fires"]


def test_what_ended_while_its_host_could_not_be_seen_is_told_afterwards() -> None:
    shop = fleet()
    shop.goes_dark()
    shop.wait(60)
    shop.comes_back()
    shop.row(**ENDED)
    shop.wait(140)
    assert heard(shop) == ["ended fires"]


def test_a_host_that_cannot_be_seen_is_told_once_for_all_its_rows() -> None:
    shop = fleet()
    for number in range(5):
        shop.row(f"shop:{number}")
    shop.goes_dark()
    shop.look()
    shop.wait(110)
    assert heard(shop) == []
    shop.wait(20)
    assert heard(shop) == ["host fires"]
    shop.comes_back()
    shop.wait(50)
    assert heard(shop) == ["host fires", "host over"]


def many() -> Fleet:
    """Return a fleet of nine hosts."""
    made = Fleet()
    for number in range(8):
        made.host(f"h{number}")
    made.look()
    return made


def test_many_hosts_that_cannot_be_seen_are_one_message() -> None:
    shop = many()
    for host in ("h1", "h2", "h3"):
        shop.goes_dark(host)
        shop.wait(30)
    shop.wait(600)
    assert heard(shop) == ["blind fires"]
    shop.comes_back("h1", "h2", "h3")
    shop.wait(60)
    assert heard(shop) == ["blind fires", "blind over"]


def test_a_host_that_stays_away_when_the_others_are_back_is_told_of_by_itself() -> None:
    shop = many()
    shop.goes_dark("h1", "h2", "h3")
    shop.wait(300)
    shop.comes_back("h1", "h2")
    shop.wait(200)
    assert shop.told[-1] == ("host", "h3", "fires")


def test_two_of_nine_hosts_are_told_of_one_by_one() -> None:
    shop = many()
    shop.goes_dark("h1", "h2")
    shop.wait(200)
    assert heard(shop) == ["host fires", "host fires"]


def test_a_deploy_mutes_what_it_stops_and_what_is_true_at_its_end_counts() -> None:
    shop = fleet()
    shop.row(**ENDED, is_deploying=True)
    shop.wait(600)
    assert heard(shop) == []
    shop.row(is_deploying=False)
    shop.wait(1, sees=False)
    assert heard(shop) == []
    shop.wait(10)
    assert heard(shop) == ["ended fires"]


def test_a_deploy_that_goes_well_is_told_to_nobody() -> None:
    """Its lease is given back before a look has seen the new container."""
    shop = fleet()
    shop.row(state="missing", is_deploying=True)
    shop.wait(300)
    shop.row(is_deploying=False)
    shop.wait(5, sees=False)
    shop.row(state="running")
    shop.wait(300)
    assert heard(shop) == []


def test_a_restart_of_the_index_lets_no_clock_run_out() -> None:
    """I18"""
    shop = fleet()
    shop.row(state="missing")
    shop.wait(40)
    shop.at += timedelta(hours=2)
    shop.look(sees=False)
    shop.look()
    assert heard(shop) == []
    shop.wait(40)
    assert heard(shop) == ["missing fires"]


def test_a_clock_that_is_set_lets_no_clock_of_an_incident_run_out_and_holds_none_up() -> None:
    """I18"""
    shop = fleet()
    shop.row(state="missing")
    for step in (timedelta(hours=1), -timedelta(hours=5)):
        shop.wait(20)
        shop.at += step
        shop.look()
    assert heard(shop) == []
    shop.wait(40)
    assert heard(shop) == ["missing fires"]


def test_a_clock_that_is_set_forward_by_less_than_a_minute_wins_no_time() -> None:
    shop = fleet()
    shop.row(state="missing")
    shop.wait(30)
    shop.at += timedelta(seconds=45)
    shop.look()
    assert heard(shop) == []


def test_a_host_that_nobody_has_looked_at_since_a_clock_was_set_keeps_its_delay() -> None:
    shop = fleet()
    shop.goes_dark()
    shop.wait(100)
    shop.at += timedelta(hours=1)
    shop.look(sees=False)
    shop.wait(40)
    assert heard(shop) == ["host fires"]


def test_nobody_is_told_of_a_host_that_failed_before_the_index_was_at_work_again() -> None:
    shop = fleet()
    shop.goes_dark()
    shop.at += timedelta(hours=2)
    shop.wait(300, sees=False)
    assert heard(shop) == []
    shop.wait(130)
    assert heard(shop) == ["host fires"]


def test_a_host_that_is_switched_off_ends_its_incidents_and_those_of_its_rows() -> None:
    shop = fleet()
    shop.row(state="missing")
    shop.wait(80)
    shop.host(is_enabled=False)
    shop.wait(300)
    assert heard(shop) == ["missing fires", "missing over"]


def test_a_host_of_which_nobody_wants_to_be_told_is_not_told_of() -> None:
    shop = fleet()
    del shop.rules[Condition.HOST]  # type: ignore[attr-defined]
    shop.goes_dark()
    shop.wait(300)
    assert heard(shop) == []


def test_what_a_host_holds_back_is_told_after_a_minute() -> None:
    shop = fleet()
    shop.host(is_held=True)
    shop.look()
    shop.wait(60)
    shop.host(is_held=False)
    shop.look()
    assert heard(shop) == ["held fires", "held over"]


def test_trouble_of_the_index_itself_is_told_until_it_is_over() -> None:
    shop = fleet()
    shop.troubles[Condition.NO_WORKER] = "nobody looks at west"
    shop.look()
    shop.wait(120)
    shop.troubles.clear()
    shop.look()
    assert heard(shop) == ["no_worker fires", "no_worker over"]
