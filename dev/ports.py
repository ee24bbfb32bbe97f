"""Loopback ports."""

import random
import socket

from dev.process import ServiceError

TRIES = 100
# Below the ports that systems give to clients: none of these is taken while a server starts, or starts again.
SERVER_PORTS = range(10_000, 30_000)


def free_port() -> int:
    """Return a loopback port that nobody uses at this moment, chosen by chance so that two runs rarely meet."""
    for port in random.sample(SERVER_PORTS, TRIES):
        if _is_free(port):
            return port
    raise ServiceError(f"none of {TRIES} ports from {SERVER_PORTS[0]} to {SERVER_PORTS[-1]} is free on 127.0.0.1")


def next_free_port(wanted: int) -> int:
    """Return a loopback port, or the first one after it that nobody listens on."""
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if _is_free(port):
            return port
    raise ServiceError(f"no port from {wanted} to {wanted + TRIES - 1} is free on 127.0.0.1; set PORT to another one")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        # Connections of the last run that linger in TIME_WAIT do not make a port taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
