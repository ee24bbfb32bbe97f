"""A real OpenID Connect provider on loopback, nanoidp, and somebody with a browser who logs in there."""

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from dev.ports import free_port
from dev.process import Child

START_SECONDS = 60.0
STOP_SECONDS = 10.0
ANSWER_SECONDS = 30.0
CLIENT_ID, CLIENT_SECRET = "index", "a secret of the index"
PASSWORD = "correct horse battery"


class IdentityProvider:
    """A provider that insists on PKCE, with these people: their names, and the groups they are in."""

    def __init__(self, folder: Path, people: dict[str, list[str]]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        folder.mkdir()
        # JSON is YAML
        (folder / "settings.yaml").write_text(json.dumps(self._settings()))
        users = {name: {"password": PASSWORD, "groups": groups} for name, groups in people.items()}
        (folder / "users.yaml").write_text(json.dumps({"config_version": 1, "users": users}))
        command = [sys.executable, "-m", "nanoidp", "--config", str(folder), "--profile", "oauth21"]
        self._child = Child("nanoidp", command, directory=folder)

    def _settings(self) -> dict[str, Any]:
        # on loopback it allows every port
        callbacks = ["http://127.0.0.1/oidc/callback/"]
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": callbacks}
        return {
            "config_version": 1,
            "server": {"host": "127.0.0.1", "port": urlsplit(self.url).port},
            "oauth": {"issuer": self.url, "audience": CLIENT_ID, "clients": [client]},
            "jwt": {"keys_dir": str(self._folder / "keys")},
            "authority_prefixes": {"groups": ""},
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._child.start(self._answers, timeout_seconds=START_SECONDS)

    def stop(self) -> None:
        """End it."""
        self._child.stop(timeout_seconds=STOP_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.document() != {}
        except requests.RequestException:
            return False

    def document(self) -> dict[str, str]:
        """Return what it tells of itself."""
        answer = requests.get(f"{self.url}/.well-known/openid-configuration", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        told: dict[str, str] = answer.json()
        return told

    def environment(self) -> dict[str, str]:
        """Return the settings of an index whose people log in here."""
        names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
        told = self.document()
        return {f"OIDC_{name.upper()}": told[name] for name in names} | {
            "OIDC_ISSUER": told["issuer"],
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        }


class Browser:
    """What a person does with a browser: it keeps cookies, and follows where it is sent."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._session = requests.Session()

    def get(self, address: str, *, follow: bool = False) -> requests.Response:
        """Open an address."""
        return self._session.get(address, allow_redirects=follow, timeout=ANSWER_SECONDS)

    def status_of(self, path: str) -> int:
        """Return how the site answers a path."""
        return self.get(self.site + path).status_code

    def ask_to_log_in(self, path: str = "/") -> str:
        """Choose to log in at the provider, and return where the site sends this browser."""
        return self.get(f"{self.site}/oidc/authenticate/?next={path}").headers["Location"]

    def log_in_at_provider(self, address: str, name: str, password: str = PASSWORD) -> str:
        """Fill in the provider's form, and return where it sends this browser."""
        form = self.get(address)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form.text))
        answer = self._session.post(
            form.url,
            data=hidden | {"username": name, "password": password},
            allow_redirects=False,
            timeout=ANSWER_SECONDS,
        )
        return answer.headers.get("Location", "")

    def log_in(self, name: str, path: str = "/") -> requests.Response:
        """Log in at the provider, and return the page on which that ends."""
        return self.get(self.log_in_at_provider(self.ask_to_log_in(path), name), follow=True)


def parameter(address: str, name: str) -> str:
    """Return a parameter of an address."""
    return parse_qs(urlsplit(address).query)[name][0]
