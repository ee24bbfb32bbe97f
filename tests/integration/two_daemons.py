"""A program for a network namespace of its own: a machine's Docker daemon, and a private Engine beside it.

It prints the network interfaces as they are before the private Engine, beside it and after it.
"""

import socket
import sys
from pathlib import Path

from dev.engine import START_SECONDS, STOP_SECONDS, DockerEngine, silence_reason
from dev.engine_leftovers import end_leftovers, unmount_leftovers
from dev.packages import find_program
from dev.process import Child


def show_interfaces() -> None:
    print(*sorted(name for _, name in socket.if_nameindex()))  # noqa: T201 - what this program is for


def main(folder: Path) -> None:
    machine = folder / "m"
    machine.mkdir()
    url = f"unix://{machine / 'docker.sock'}"
    places = (f"--data-root={machine / 'data'}", f"--exec-root={machine / 'exec'}", f"--pidfile={machine / 'pid'}")
    # Iptables are not needed for a bridge, and not everywhere to be had.
    daemon = Child(
        "dockerd", [str(find_program("dockerd")), f"--host={url}", *places, "--iptables=false"], directory=machine
    )
    try:
        daemon.start(lambda: silence_reason(url) is None, timeout_seconds=START_SECONDS)
        show_interfaces()
        with DockerEngine(folder / "own"):
            show_interfaces()
        show_interfaces()
    finally:
        daemon.stop(timeout_seconds=STOP_SECONDS)
        end_leftovers(machine / "exec")
        unmount_leftovers(machine)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
