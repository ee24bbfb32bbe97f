"""Where Celery finds its broker, and how long it waits for an answer."""

from urllib.parse import parse_qs, urlsplit

# without these a half-open connection to the broker stalls a worker for ever
TRANSPORT_OPTIONS = {
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}


def broker_url(redis_url: str) -> str:
    """Return a Redis URL as Celery wants it, which has other words for a unix socket and for the database on it."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db")
    return f"redis+socket://{parts.netloc}{parts.path}{f'?virtual_host={database[0]}' if database else ''}"
