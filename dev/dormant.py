"""Keep what apt installs from running: Debian starts a service as soon as it is installed, and at every boot.

We want the programs alone. A daemon that nobody asked for would change the machine's network, or open it to others.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

# Debian asks this program before it starts a service; 101 means no. See invoke-rc.d(8).
POLICY = Path("/usr/sbin/policy-rc.d")
ENABLED_UNITS = Path("/etc/systemd/system")


@contextlib.contextmanager
def dormant() -> Iterator[None]:
    """Let nothing that is installed meanwhile be started, now or at boot, and say which services that concerns."""
    before = _enabled()
    with _nothing_started():
        yield
    installed = sorted(_enabled() - before)
    if installed:
        _disable(installed)
        names = " ".join(installed)
        print(f"==> Debian's services are not started, now or at boot: {names}", flush=True)
        print(f"==> If you want them: systemctl enable --now {names}", flush=True)


@contextlib.contextmanager
def _nothing_started() -> Iterator[None]:
    # A policy that the machine has already stands.
    if POLICY.exists():
        yield
        return
    # Should we be killed, it forbids nothing any more.
    POLICY.write_text(f"#!/bin/sh\n# made for one installation\n[ ! -d /proc/{os.getpid()} ] || exit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def _disable(units: Sequence[str]) -> None:
    """Let units be started no more at boot, and stop them; without systemd nothing runs, and there are only links."""
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", *units], capture_output=True, check=False)
        return
    for unit in units:
        for link in ENABLED_UNITS.glob(f"*.wants/{unit}"):
            link.unlink()


def _enabled() -> set[str]:
    """Return the services and sockets that the machine opens at boot."""
    return {path.name for kind in ("service", "socket") for path in ENABLED_UNITS.glob(f"*.wants/*.{kind}")}
