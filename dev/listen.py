"""Open sockets, and become a program that is to serve them: they are handed over as systemd does.

A program in a network namespace of its own can so be reached on this machine's loopback. Standard library only.
"""

import os
import socket
import sys

FIRST_SOCKET = 3


def main() -> None:
    """Listen on the addresses before `--`, each HOST:PORT, and become the command after it."""
    split = sys.argv.index("--")
    addresses, command = sys.argv[1:split], sys.argv[split + 1 :]
    for number, address in enumerate(addresses, start=FIRST_SOCKET):
        host, _, port = address.rpartition(":")
        listener = socket.create_server((host, int(port)))
        os.dup2(listener.detach(), number)
        os.set_inheritable(number, True)
    os.environ.update(LISTEN_FDS=str(len(addresses)), LISTEN_PID=str(os.getpid()))
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
