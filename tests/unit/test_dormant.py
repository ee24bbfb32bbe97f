"""What `make up` and `make test` install from Debian does not run by itself, now or at boot."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dev import dormant
from dev.packages import fetch_lists, find_program, install
from tests.conftest import unavailable

FORBIDDEN = 101


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt-get asks the policy, and then has a service started at boot, as Debian's does."""
    policy, units = tmp_path / "policy-rc.d", tmp_path / "system" / "multi-user.target.wants"
    units.mkdir(parents=True)
    (units / "there-before.service").touch()
    program(
        tmp_path / "apt-get",
        f"[ $1 = install ] || exit 0; {policy} docker start; echo $? > {tmp_path}/answer; touch {units}/docker.service",
    )
    program(tmp_path / "systemctl", f'shift 2; for unit; do rm {units}/"$unit"; done')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(dormant, "POLICY", policy)
    monkeypatch.setattr(dormant, "ENABLED_UNITS", units.parent)
    return tmp_path


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def at_boot(machine: Path) -> list[str]:
    return sorted(path.name for path in machine.glob("system/*.wants/*"))


def test_what_is_installed_is_not_started_now_or_at_boot(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(["docker.io"], why="a test")
    assert int((machine / "answer").read_text()) == FORBIDDEN
    assert at_boot(machine) == ["there-before.service"]
    assert "systemctl enable --now docker.service" in capsys.readouterr().out


def test_nothing_is_started_at_boot_on_a_machine_that_has_no_systemd_yet(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such is a fresh Debian in a container: its packages are ready for systemd all the same."""
    (machine / "systemctl").unlink()
    (machine / "touch").symlink_to(find_program("touch") or unavailable("touch"))
    monkeypatch.setenv("PATH", str(machine))
    install(["prometheus"], why="a test")
    assert at_boot(machine) == ["there-before.service"]


def test_what_debian_has_now_is_asked_once_for_all_that_is_installed(machine: Path) -> None:
    program(machine / "apt-get", f"echo $1 >> {machine}/asked")
    fetch_lists.cache_clear()
    for package in ("docker.io", "prometheus"):
        install([package], why="a test")
    assert (machine / "asked").read_text().split() == ["update", "install", "install"]


def test_afterwards_the_machine_may_start_services_again(machine: Path) -> None:
    install(["docker.io"], why="a test")
    assert not (machine / "policy-rc.d").exists()


def test_a_policy_that_the_machine_has_is_left_as_it_is(machine: Path) -> None:
    program(machine / "policy-rc.d", "exit 3")
    install(["docker.io"], why="a test")
    assert int((machine / "answer").read_text()) == 3
    assert stat.S_IMODE((machine / "policy-rc.d").stat().st_mode) == 0o755


def test_an_installation_that_was_killed_forbids_nothing_for_long(machine: Path) -> None:
    code = f"""
import pathlib, signal
from dev import dormant
dormant.POLICY = pathlib.Path({str(dormant.POLICY)!r})
with dormant.dormant():
    signal.raise_signal(signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert subprocess.run([dormant.POLICY, "docker", "start"], check=False).returncode == 0
