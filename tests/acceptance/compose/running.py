"""The Compose file as it runs on a private Engine: what a proxy, a program and a hard hand do to it."""

from typing import Any
from urllib.parse import quote

import docker
import psutil
import requests
from docker.models.containers import Container

from dev.compose import INNER_PORT, ComposeSite
from dev.ports import free_port
from tests.waiting import eventually

NAME = "index.example.org"
USER, PASSWORD = "ann", "correct horse battery"
ANSWER_SECONDS = 10.0
SERVICES = ("alerts", "beat", "postgres", "redis", "socket-proxy", "urgent", "watch", "web", "worker")
"""Those that run all the time."""


class Running:
    """The services of a site, behind what stands in for its TLS proxy."""

    def __init__(self, site: ComposeSite) -> None:
        """Take a site whose Engine has been started."""
        self.site = site
        self.port = free_port()
        self.site.engine.network.publish(self.port, inner_port=INNER_PORT)
        self.client: docker.DockerClient = site.engine.docker.client()
        self._token = ""

    def add_people(self) -> None:
        """Add a superuser, as the docs tell, and a token."""
        given = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        self.site.manage("createsuperuser", "--noinput", "--username", USER, "--email", "", **given)
        self._token = self.site.manage("token", "add", "tests", "--scope", "read").split()[0]

    def visitor(self) -> requests.Session:
        """Return a browser whose requests come by TLS, as the proxy says of them."""
        session = requests.Session()
        session.trust_env = False
        session.headers.update({"Host": NAME, "X-Forwarded-Proto": "https", "Referer": f"https://{NAME}/"})
        return session

    def log_in(self, visitor: requests.Session) -> int:
        """Send the form of the login with its cookies, stay logged in, and return the status of the answer."""
        form = visitor.get(self.url("/login"), timeout=ANSWER_SECONDS)
        fields = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": form.cookies["csrftoken"]}
        self._carry_cookies(visitor)
        answer = visitor.post(self.url("/login"), data=fields, timeout=ANSWER_SECONDS, allow_redirects=False)
        self._carry_cookies(visitor)
        return answer.status_code

    def _carry_cookies(self, visitor: requests.Session) -> None:
        # A browser would send them by itself, because its own connection to the proxy is one of TLS.
        visitor.headers["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.cookies)

    def url(self, path: str) -> str:
        """Return where a path is reached past the proxy."""
        return f"http://127.0.0.1:{self.port}{path}"

    def ask(self, path: str) -> Any:
        """Return what the API answers to a program with a token, or None if it does not answer."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = self.visitor().get(self.url(f"/api/v1/{path}"), headers=headers, timeout=ANSWER_SECONDS)
        except requests.RequestException:
            return None
        return answer.json() if answer.status_code == 200 else None

    def state(self, row: str) -> str | None:
        """Return the effective state of a row, or None if there is none, or nobody answers."""
        answer = self.ask(f"containers/{row}")
        state: str | None = answer["item"]["effective_state"] if answer else None
        return state

    def cursor(self) -> str:
        """Return the place in the feed after all that has been told."""
        answer = eventually(lambda: self.ask("containers?limit=1"), what="an answer of the API")
        cursor: str = answer["cursor"]
        return cursor

    def changes(self, row: str, *, after: str) -> list[dict[str, Any]]:
        """Return how a row itself has changed, as the feed tells after a place in it."""
        answer = eventually(lambda: self.ask(f"changes?limit=1000&after={quote(after)}"), what="an answer of the API")
        return [change for change in answer["items"] if (change["kind"], change["row"]) == ("container", row)]

    def see(self, row: str, state: str) -> None:
        """Wait until a row has a state."""
        eventually(lambda: self.state(row) == state, what=f"{row} is {state}")

    def containers(self, service: str) -> list[Container]:
        """Return the containers of a service."""
        found: list[Container] = self.client.containers.list(
            all=True, filters={"label": f"com.docker.compose.service={service}"}
        )
        return found

    def facts(self, service: str) -> dict[str, Any]:
        """Return what the Engine says of the one container of a service."""
        (container,) = self.containers(service)
        facts: dict[str, Any] = container.attrs
        return facts

    def kill(self, service: str) -> None:
        """Kill the process of a service, and wait until its container has been started anew."""
        facts = self.facts(service)
        process = psutil.Process(facts["State"]["Pid"])
        # With an init of Docker's the service is its only child; of a service without one nothing is said about it.
        (process.children()[0] if facts["HostConfig"].get("Init") else process).kill()
        eventually(lambda: self._runs_anew(service, facts["State"]["StartedAt"]), what=f"{service} is back")

    def _runs_anew(self, service: str, moment: str) -> bool:
        state = self.facts(service)["State"]
        return bool(state["Running"] and state["StartedAt"] != moment)

    def close(self) -> None:
        """Let go of the Engine."""
        self.client.close()
