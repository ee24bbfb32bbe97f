"""A command that fails, or does not end, says so with its last words; one that works says nothing."""

import sys
from pathlib import Path

import pytest

from dev.process import ServiceError, run_quietly
from tests.waiting import WAIT_SECONDS


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_that_works_is_not_heard(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = f"print('hello'); open({str(tmp_path / 'done')!r}, 'w')"
    run_quietly(python(code), timeout_seconds=WAIT_SECONDS)
    assert (tmp_path / "done").exists()
    assert capfd.readouterr() == ("", "")


def test_a_command_that_fails_says_its_last_words_and_what_to_do() -> None:
    with pytest.raises(ServiceError) as raised:
        run_quietly(python("print('no route'); exit(3)"), timeout_seconds=WAIT_SECONDS, advice="do it yourself")
    assert str(raised.value).endswith("` failed with 3; do it yourself. Its last lines:\nno route")


def test_a_command_that_does_not_end_is_ended_and_says_so() -> None:
    with pytest.raises(ServiceError, match=r"did not end within 0\.1 s and was killed; do it yourself$"):
        run_quietly(python("import time; time.sleep(3600)"), timeout_seconds=0.1, advice="do it yourself")
