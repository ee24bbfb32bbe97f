"""A private Prometheus on loopback: Debian's program, with its data in a folder of its own."""

import json
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from dev.packages import find_program
from dev.ports import free_port
from dev.process import Child, ServiceError

START_SECONDS = 60.0
STOP_SECONDS = 15.0
ANSWER_SECONDS = 30.0


class Prometheus:
    """A Prometheus that reads the file prometheus.yml in its folder."""

    def __init__(self, directory: Path) -> None:
        """Describe the server; all it has lies in `directory`."""
        self.directory = directory.resolve()
        self.config = self.directory / "prometheus.yml"
        self.port = free_port()
        self._child: Child | None = None

    def start(self) -> Self:
        """Start the server and return once it answers."""
        program = find_program("prometheus")
        if program is None:
            raise ServiceError("Prometheus is not installed; `apt-get install prometheus`, or `python -m dev.packages`")
        command = [
            program,
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._child = Child("prometheus", command, directory=self.directory)
        self._child.start(self._is_ready, timeout_seconds=START_SECONDS)
        return self

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.stop(timeout_seconds=STOP_SECONDS)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now."""
        found: list[dict[str, Any]] = self._data(f"query?{urlencode({'query': expression})}")["result"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing."""
        found: list[dict[str, Any]] = self._data("alerts")["alerts"]
        return found

    def _data(self, path: str) -> Any:
        status, body = self._ask(f"/api/v1/{path}")
        if status != HTTPStatus.OK:
            raise ServiceError(f"Prometheus answers {path} with {status}: {body.decode(errors='replace')}")
        return json.loads(body)["data"]

    def _is_ready(self) -> bool:
        try:
            return self._ask("/-/ready")[0] == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def _ask(self, path: str) -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)) as server:
            server.request("GET", path)
            answer = server.getresponse()
            return answer.status, answer.read()
