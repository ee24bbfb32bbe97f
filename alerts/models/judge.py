"""What the judge remembers from one look to the next."""

from datetime import datetime

from django.db import models


class Judge(models.Model):
    """The only row of this table. Two judges at a time do no harm: the slower one finds that `rounds` has grown.

    `position` is the last entry of the feed that was judged. `fresh_from`: what was seen before this moment
    was seen before the judge was at work again. `beat_at` is when beat has asked for a look last. `told_at` is when
    what is to be told, if anything is, was put into messages last. `drift` has, for each host, how its count of
    changes without events has grown lately.
    """

    rounds = models.PositiveBigIntegerField(default=0)
    position = models.PositiveBigIntegerField(null=True, default=None)
    judged_at = models.DateTimeField(null=True, default=None)
    fresh_from = models.DateTimeField(null=True, default=None)
    beat_at = models.DateTimeField(null=True, default=None)
    told_at = models.DateTimeField(null=True, default=None)
    drift = models.JSONField(default=dict)

    class Meta:
        # only programs look at it
        default_permissions = ()

    def __str__(self) -> str:
        return f"judge, {self.rounds} looks"

    @classmethod
    def of_this_database(cls) -> "Judge":
        """Return the judge of this database, which is made when it is first used."""
        return cls.objects.get_or_create(pk=1)[0]

    @classmethod
    def note_told(cls, at: datetime) -> None:
        """Note that what is to be told was put into messages without an error."""
        cls.objects.filter(pk=cls.of_this_database().pk).update(told_at=at)

    def keep_waiting(self) -> None:
        """Let no judge write until the end of the caller's transaction; wait until one that writes has done so."""
        type(self).objects.select_for_update().get(pk=self.pk)
