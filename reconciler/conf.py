"""The app's settings, as the objects that the code works with. They are read when asked for, never at import."""

from datetime import timedelta
from pathlib import Path

from django.conf import settings

from reconciler.core.engine_url import TLS_SCHEMES, scheme_of
from reconciler.core.safeguard import Limits
from reconciler.engine import Engine, TlsFiles
from reconciler.engine.engine import TOTAL_TIMEOUT_FACTOR
from reconciler.exceptions import UnknownHost
from reconciler.lock import HostLock, connect
from reconciler.models import Host

DATABASE_SECONDS = 300.0
"""How long the database may take for a pass before we believe that the worker's process hangs."""


def engine_of(host: Host) -> Engine:
    """Return the Engine of a host; an empty URL means the environment's DOCKER_HOST.

    Nothing is checked here: whatever is wrong is told when the Engine is asked, as a failure of this host alone (I15).
    """
    url = host.url or settings.DOCKER_HOST
    return Engine(
        host=host.name,
        url=url,
        timeout_seconds=settings.ENGINE_TIMEOUT,
        tls=_tls_of(host, url),
        max_listing_bytes=settings.ENGINE_MAX_BODY_MIB << 20,
    )


def _tls_of(host: Host, url: str) -> TlsFiles | None:
    """Return the host's own TLS files, or else the environment's; None for a socket or ssh, which use no TLS."""
    if scheme_of(url) not in TLS_SCHEMES:
        return None
    if host.tls_ca:
        cert, key = (Path(name) if name else None for name in (host.tls_cert, host.tls_key))
        return TlsFiles(ca=Path(host.tls_ca), cert=cert, key=key, root=settings.TLS_ROOT)
    return TlsFiles(**settings.DOCKER_TLS) if settings.DOCKER_TLS else None


def lock_of(host: str) -> HostLock:
    """Return the lock of a host, on the Redis that Celery uses as well."""
    return HostLock(connect(settings.REDIS_URL), host, settings.LOCK_TTL)


def hold_limits() -> Limits:
    """Return how much of a host may go missing, within what time, without a second listing that agrees."""
    window = timedelta(seconds=settings.HOLD_SECONDS)
    return Limits(share=settings.HOLD_SHARE, least=settings.HOLD_LEAST, window=window)


def longest_pass_seconds() -> float:
    """Return how long a pass may take if its host and the database use all the time that they may.

    The Engine is asked for its version, its listing and its identity, and for details.
    """
    engine = (2 * TOTAL_TIMEOUT_FACTOR + 1) * settings.ENGINE_TIMEOUT + 2 * settings.INSPECT_SECONDS
    return engine + DATABASE_SECONDS


def refresh_after() -> timedelta:
    """Return how old sightings may become before a pass over an unchanged world refreshes them (I11)."""
    return timedelta(seconds=settings.RECONCILE_INTERVAL / 2)


def named_hosts(names: list[str]) -> list[Host]:
    """Return the hosts with these names, or all enabled hosts if none is named. Raises UnknownHost."""
    if not names:
        return list(Host.objects.filter(enabled=True))
    found = Host.objects.in_bulk(names)
    if unknown := [name for name in names if name not in found]:
        raise UnknownHost(unknown, list(Host.objects.values_list("name", flat=True)))
    return list(found.values())
