"""A stand-in for wollomatic/socket-proxy, where no registry has that image. Standard library only.

It obeys the flags that docker-compose.yml gives, with their meaning there, and refuses any other: a GET goes through if
its whole path matches -allowGET and its sender is one of -allowfrom; the path is compared as it was sent.
"""

import argparse
import http.client
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SOCKET = "/var/run/docker.sock"
HEALTH_PORT = 55555
PIECE_BYTES = 65_536
CONNECT_SECONDS = 5.0


def flags() -> argparse.Namespace:
    """Return what the command line says; it ends the program if it says anything else."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-loglevel", required=True)
    parser.add_argument("-listenip", required=True)
    parser.add_argument("-proxyport", type=int, required=True)
    parser.add_argument("-allowfrom", required=True)
    parser.add_argument("-allowGET", required=True)
    parser.add_argument("-allowhealthcheck", action="store_true")
    parser.add_argument("-watchdoginterval", type=int, required=True)
    parser.add_argument("-stoponwatchdog", action="store_true")
    return parser.parse_args()


def daemon() -> socket.socket:
    """Return a connection to Docker's socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(CONNECT_SECONDS)
    connection.connect(SOCKET)
    connection.settimeout(None)
    return connection


class Daemon(http.client.HTTPConnection):
    """HTTP to Docker's socket."""

    def connect(self) -> None:
        """Connect to the socket instead of to a host."""
        self.sock = daemon()


def addresses(names: str) -> set[str]:
    """Return the addresses that these services have now."""
    found: set[str] = set()
    for name in names.split(","):
        try:
            found |= {str(each[4][0]) for each in socket.getaddrinfo(name, None, socket.AF_INET)}
        except OSError:
            continue
    return found


class Proxy(BaseHTTPRequestHandler):
    """Lets the GETs through that are allowed."""

    protocol_version = "HTTP/1.1"
    given: argparse.Namespace

    def do_GET(self) -> None:
        """Hand on a request, and its answer piece by piece, or refuse it."""
        if self.client_address[0] not in addresses(self.given.allowfrom):
            return self.send_error(403)
        if "Upgrade" in self.headers or not re.fullmatch(self.given.allowGET, self.path.partition("?")[0]):
            return self.send_error(403)
        self.close_connection = True
        server = Daemon("docker")
        server.request("GET", self.path, headers={"Host": "docker"})
        answer = server.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Server", answer.getheader("Server", ""))
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := answer.read1(PIECE_BYTES):
            self.wfile.write(piece)
        return None

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Refuse every method that has none of its own here."""
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        self.close_connection = True
        self.send_error(405)

    def version_string(self) -> str:
        """Return nothing: the daemon's own word is handed on."""
        return ""


class Health(BaseHTTPRequestHandler):
    """Tells the health check whether the daemon answers."""

    def do_GET(self) -> None:
        """Ask the daemon."""
        try:
            daemon().close()
        except OSError:
            return self.send_error(503)
        self.send_response(200)
        self.end_headers()
        return None


def main() -> None:
    """Serve, and end as soon as the daemon behind the socket is another one or none."""
    # The first process of a container has no other reason to end at SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Proxy.given = flags()
    servers = [ThreadingHTTPServer((Proxy.given.listenip, Proxy.given.proxyport), Proxy)]
    if Proxy.given.allowhealthcheck:
        servers.append(ThreadingHTTPServer(("127.0.0.1", HEALTH_PORT), Health))
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        time.sleep(Proxy.given.watchdoginterval)
        try:
            daemon().close()
        except OSError as error:
            print(f"the daemon does not answer: {error}", file=sys.stderr, flush=True)
            if Proxy.given.stoponwatchdog:
                sys.exit(1)


if __name__ == "__main__":
    main()
