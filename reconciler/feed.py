"""I/O: writes the feed. Nothing else writes it, so that its ids are in the order of commits (I16)."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from django.db import connection, transaction

from reconciler.models import ChangeKind, Container, Transition
from reconciler.signals import containers_changed

LOCK_KEY = int.from_bytes(b"tf-feed")
"""The number of the lock of those who write the feed. Nothing else may use this number in PostgreSQL."""


def append(entries: Sequence[Transition]) -> None:
    """Write entries as the last act of the caller's transaction; receivers are told after the commit.

    An entry gets its id when it is written, and is seen when it is committed. So whoever writes keeps all others
    from writing until its commit. Otherwise a reader that has come to entry 2 would never get entry 1. The caller
    must take all its other locks before this call, because whatever it waits for afterwards, all others wait for
    as well. A row's reference to its host is checked at once for the same reason: PostgreSQL would do so at the
    commit, and wait there for whoever removes the host, while he waits for the feed.
    """
    if not entries:
        return
    with transaction.atomic(savepoint=False):
        _lock_out_other_writers()
        made = Transition.objects.bulk_create(entries)
    steps: dict[str, list[Transition]] = defaultdict(list)
    for entry in made:
        if entry.kind == ChangeKind.CONTAINER and entry.is_step:
            steps[entry.host_id].append(entry)
    for host, transitions in steps.items():
        # robust: a receiver's error is logged, and no reason to lose the pass, or the other receivers
        tell = partial(containers_changed.send_robust, sender=Container, host=host, transitions=tuple(transitions))
        transaction.on_commit(tell)


def _lock_out_other_writers() -> None:
    """Wait until no other transaction is writing; on SQLite, transactions that write do so by themselves."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # one after the other, and sent at once
            cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; SELECT pg_advisory_xact_lock({LOCK_KEY})")
