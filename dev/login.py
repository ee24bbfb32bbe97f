"""The login that `make up` prints: a superuser `admin` with a generated password, the same every time."""

import secrets
import subprocess
import sys
from collections.abc import Mapping

from dev.place import PASSWORD_FILE, PROJECT, write_private

USER = "admin"
PASSWORD_BYTES = 12
EXIT_FOREIGN_PASSWORD = 3


def ensure_login(environment: Mapping[str, str]) -> str | None:
    """Make the superuser if there is none; return its password, or None if a person has given it another one."""
    if not PASSWORD_FILE.exists():
        write_private(PASSWORD_FILE, secrets.token_urlsafe(PASSWORD_BYTES))
    done = subprocess.run([sys.executable, "-m", "dev.login"], env=dict(environment), cwd=PROJECT, check=False)
    if done.returncode == EXIT_FOREIGN_PASSWORD:
        return None
    done.check_returncode()
    return PASSWORD_FILE.read_text().strip()


def main() -> int:
    """Create the superuser unless it is there."""
    import django

    django.setup()
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    password = PASSWORD_FILE.read_text().strip()
    user = users.filter(username=USER).first()
    if user is None:
        users.create_superuser(username=USER, email="", password=password)
        return 0
    return 0 if user.check_password(password) else EXIT_FOREIGN_PASSWORD


if __name__ == "__main__":
    sys.exit(main())
