"""Starts programs of the project with the settings that a test gives, and no others."""

import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import WAIT_SECONDS

ROOT = Path(__file__).parents[1]
KEY = "only-for-tests-" + "k" * 50


def start(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with these variables and no other variables of the project."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "SECRET_KEY": KEY, "HTTPS": "0"} | variables
    command = [sys.executable, "-W", "error", *program.split(" ", 1)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )


def check(**variables: str) -> subprocess.CompletedProcess[str]:
    return start("manage.py check", **variables)


def value_of(expression: str, **variables: str) -> str:
    done = start(f"-c from tinyforge import settings as s; print({expression})", **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
