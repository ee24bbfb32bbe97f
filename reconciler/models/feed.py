"""The feed: where it begins and ends, and what has changed after a cursor."""

import secrets

from django.db import models
from django.db.models import Subquery
from django.db.models.functions import Coalesce, Greatest

from reconciler.core.cursors import Cursor, decode, encode
from reconciler.exceptions import CursorTooOld
from reconciler.models.transition import Transition


def new_epoch() -> int:
    """Return a number that no other database is likely to have drawn."""
    return secrets.randbits(63)


class Feed(models.Model):
    """The only row of this table says which database the feed belongs to, and up to which entry some were deleted.

    A cursor belongs to one `epoch`, so that another database refuses it. Some of the entries up to `pruned_to`
    have been deleted because of their age.
    """

    epoch = models.PositiveBigIntegerField(default=new_epoch)
    pruned_to = models.PositiveBigIntegerField(default=0)

    class Meta:
        # only programs look at it
        default_permissions = ()

    def __str__(self) -> str:
        return f"feed {self.epoch:x}"

    @classmethod
    def of_this_database(cls) -> "Feed":
        """Return the feed of this database, which is made when it is first used."""
        return cls.objects.get_or_create(pk=1)[0]

    def cursor(self, position: int) -> str:
        """Return the cursor after an entry with this id."""
        return encode(Cursor(self.epoch, position))

    def newest(self) -> str:
        """Return the cursor after the newest entry."""
        newest: int = type(self).objects.values_list(newest_position(), flat=True).get(pk=self.pk)
        return self.cursor(newest)

    def changes_after(self, cursor: str, limit: int) -> list[Transition]:
        """Return the first changes after a cursor, in the order of their commits. Raises BadCursor, CursorTooOld."""
        changes = list(Transition.objects.after(decode(cursor).position)[:limit])
        # this is asked afterwards, because entries may have been pruned while the changes were read
        if self.is_too_old(cursor):
            raise CursorTooOld
        return changes

    def is_too_old(self, cursor: str) -> bool:
        """Tell whether some changes after a cursor are not known, or not any more. Raises BadCursor."""
        epoch, position = decode(cursor)
        pruned_to, newest = type(self).objects.values_list("pruned_to", newest_position()).get(pk=self.pk)
        return epoch != self.epoch or not pruned_to <= position <= newest


def newest_position() -> Greatest:
    """Return an expression for the id of the newest entry.

    Annotate a list with it: the list and the changes after this position fit together without a gap, because
    one statement sees them both.
    """
    newest = Transition.objects.order_by("-id").values("id")[:1]
    pruned_to = Feed.objects.values("pruned_to")[:1]
    number = models.BigIntegerField()
    of_the_feed = [Coalesce(Subquery(ids), 0, output_field=number) for ids in (newest, pruned_to)]
    return Greatest(*of_the_feed, output_field=number)
