"""Requests to the proxy before Docker's socket: those of the index, and those that try to get past it."""

from dataclasses import dataclass, field

REFUSALS = {403, 405}
"""What the daemon itself answers to such requests is neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One request, sent exactly as it stands here."""

    target: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    is_allowed: bool = False


_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
_LET_THROUGH = (
    "/_ping",
    "/version",
    "/info",
    "/containers/json?all=1",
    "/v1.41/containers/json",
    "/events?since=0&until=1",
)
_OTHER_PATHS = (
    "/",
    "/images/json",
    "/secrets",
    "/networks",
    "/volumes",
    "/system/df",
    "/plugins/../version",
    "/containers/../images/json",
    "/containers/x/../../images/json",
    "/containers/%2e%2e/images/json",
    "/containers/..%2fimages%2fjson",
    "/containers/x%2f..%2f..%2fimages/json",
    "//images/json",
    "/v1.41/../images/json",
    "/v2.0/images/json",
    "/containers/first/logs?stdout=1",
    "/containers/first/archive?path=/",
    "/containers/first/export",
    "/containers/first/top",
    "/exec/first/json",
    "http://docker/images/json",
)
_OTHER_METHODS = (
    Probe(method="HEAD", target="/_ping"),
    Probe(method="POST", target="/containers/create"),
    Probe(method="POST", target="/containers/json"),
    Probe(method="PUT", target="/containers/first/archive?path=/"),
    Probe(method="DELETE", target="/containers/first"),
    Probe(method="OPTIONS", target="/version"),
    Probe(method="PATCH", target="/version"),
    Probe(method="POST", target="/session", headers=_UPGRADE),
    Probe(method="POST", target="/containers/first/attach?stream=1", headers=_UPGRADE),
    Probe(target="/containers/first/attach/ws?stream=1", headers=_WEBSOCKET),
)
PROBES = (
    *(Probe(target=target, is_allowed=True) for target in _LET_THROUGH),
    *(Probe(target=target) for target in _OTHER_PATHS),
    *_OTHER_METHODS,
)

# These two run in a container, where there is the standard library alone.
ANSWER = """
import json, socket, sys
host, port, probes = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
def status(method, target, headers):
    with socket.create_connection((host, port), timeout=5) as connection:
        lines = [f"{method} {target} HTTP/1.1", "Host: docker", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\\r\\n".join([*lines, "", ""]).encode())
        return int(connection.makefile("rb").readline().split()[1])
print(json.dumps([status(*probe) for probe in probes]))
"""
CONNECT = """
import json, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
    print(json.dumps(True))
except OSError:
    print(json.dumps(False))
"""
