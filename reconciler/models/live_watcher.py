"""The watchers that share the hosts."""

from django.db import models


class LiveWatcher(models.Model):
    """A process that watches. Its row is its right to the hosts that name it: without the row it has none.

    It counts its `beats` up all the time. If the count stands still, another watcher deletes the row and takes the
    hosts. `told` has the hosts that it was told to watch; if it was told none, it shares all hosts with its like.
    """

    name = models.CharField(primary_key=True, max_length=128)
    beats = models.PositiveBigIntegerField(default=1)
    told = models.JSONField(default=list)

    class Meta:
        # only programs look at it
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
