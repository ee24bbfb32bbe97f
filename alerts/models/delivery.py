"""The outbox: what is to be told, to which channel, and the messages in which it is told."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import IntegrityError, models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When

from alerts.core.conditions import Phase
from alerts.core.retries import LONGEST_RETRY_AFTER
from alerts.models.channel import Channel
from alerts.models.incident import Incident

LEASE = timedelta(minutes=2)
"""How long a worker has a message for itself. One that takes longer has died, and another may send the message."""


class DeliveryState(models.TextChoices):
    """How far a delivery is."""

    WAITING = "waiting", "waiting"
    SENT = "sent", "sent"
    DROPPED = "dropped", "not needed any more"
    DEAD = "dead", "given up"


class MessageState(models.TextChoices):
    """How far a message is."""

    PENDING = "pending", "to be sent"
    SENT = "sent", "sent"
    DROPPED = "dropped", "not needed any more"
    DEAD = "dead", "given up"


class MessageQuerySet(models.QuerySet["Message"]):
    """The questions people ask of messages."""

    def pending(self) -> "MessageQuerySet":
        """Messages that are still to be sent, by channels that send."""
        return self.filter(state=MessageState.PENDING, channel__is_enabled=True, is_test=False)

    def dead(self) -> "MessageQuerySet":
        """Messages that were given up; a test that did not arrive is none."""
        return self.filter(state=MessageState.DEAD, is_test=False)

    def due(self, at: datetime) -> "MessageQuerySet":
        """Pending messages whose time has come, and which nobody is sending. Moments too far ahead are errors."""
        is_time = Q(next_attempt_at__lte=at) | Q(next_attempt_at__gt=at + LONGEST_RETRY_AFTER + LEASE)
        is_free = Q(claimed_until=None) | Q(claimed_until__lte=at) | Q(claimed_until__gt=at + LEASE)
        return self.filter(is_time, is_free, state=MessageState.PENDING)

    def claim(self, pk: uuid.UUID, at: datetime) -> "Message | None":
        """Claim a message for sending; None if it is not due, or if somebody else was faster.

        Whoever claimed it before and has not told what came of it may have sent it, or may not.
        """
        was_left = When(claimed_until__isnull=False, then=True)
        is_ours = self.due(at).filter(pk=pk)
        claimed = is_ours.update(
            claimed_until=at + LEASE, attempts=F("attempts") + 1, is_unsure=Case(was_left, default=F("is_unsure"))
        )
        return self.select_related("channel").get(pk=pk) if claimed else None

    def send_again(self, at: datetime) -> int:
        """Let messages that were given up be sent again, under the ids that they have; return how many.

        Of each group that is the oldest one, and only while no other message of it is to be sent. What is over, and was
        told to be over, is left out: no beginning comes after its end.
        """
        again: dict[tuple[int, str, str], uuid.UUID] = {}
        group = {name: OuterRef(name) for name in ("channel", "severity", "host")}
        under_way = Message.objects.filter(state=MessageState.PENDING, is_test=False, **group)
        with transaction.atomic():
            self._leave_out_what_was_told_to_be_over()
            for message in self.dead().filter(~Exists(under_way)).order_by("made_at"):
                again.setdefault((message.channel_id, message.severity, message.host), message.pk)
            return sum(_revive(pk, at) for pk in again.values())

    def forget(self) -> int:
        """Let nobody care any more for messages that were given up, nor for what they tell; return how many."""
        with transaction.atomic():
            Delivery.objects.filter(message__in=self.dead()).update(state=DeliveryState.DROPPED)
            return self.dead().update(state=MessageState.DROPPED)

    def _leave_out_what_was_told_to_be_over(self) -> None:
        """Take out of messages that were given up what was told to be over, and drop those that are empty then."""
        same = {"incident": OuterRef("incident"), "channel": OuterRef("channel")}
        ends = Delivery.objects.filter(phase=Phase.RESOLVED, state=DeliveryState.SENT, **same)
        begun = Delivery.objects.filter(Exists(ends), message__in=self.dead(), phase=Phase.FIRING)
        begun.update(state=DeliveryState.DROPPED, message=None)
        self.dead().filter(deliveries=None, is_repeat=False).update(state=MessageState.DROPPED)


def _revive(pk: uuid.UUID, at: datetime) -> bool:
    """Let a message that was given up be sent again; return whether that was done.

    It was not if another message of its group was made at this very moment. Then this one stays given up.
    """
    given_up = Message.objects.filter(pk=pk, state=MessageState.DEAD)
    try:
        with transaction.atomic():
            anew = {"next_attempt_at": at, "made_at": at, "attempts": 0, "claimed_until": None}
            if not given_up.update(state=MessageState.PENDING, **anew):
                return False
            Delivery.objects.filter(message=pk).update(state=DeliveryState.WAITING)
    except IntegrityError:
        return False
    return True


class Message(models.Model):
    """What one channel is told at once of one host and one severity. Its id stays the same however often it is sent.

    While one message of a group is to be sent, there is no other, so that nothing is told out of order. `is_unsure`
    tells that it may have been sent already: then nothing is left out of it any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="messages")
    severity = models.CharField(max_length=8, blank=True, default="")
    host = models.CharField(max_length=128, blank=True, default="")
    is_test = models.BooleanField("test", default=False)
    is_repeat = models.BooleanField("repeat", default=False, help_text="Nothing is new, but something still stands.")
    state = models.CharField(max_length=8, choices=MessageState, default=MessageState.PENDING)
    made_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, default=None)
    attempts = models.PositiveIntegerField(default=0)
    is_unsure = models.BooleanField("may have arrived", default=False)
    problem = models.CharField(max_length=500, blank=True, default="", help_text="Why it was not sent last.")
    sent_at = models.DateTimeField(null=True, default=None)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-made_at"]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="message_due"),
            models.Index(fields=["channel", "severity", "host", "sent_at"], name="message_group"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["channel", "severity", "host"],
                condition=Q(state="pending", is_test=False),
                name="message_one_pending",
            ),
        ]

    def __str__(self) -> str:
        about = "test" if self.is_test else f"{self.severity} {self.host or 'the index'}"
        return f"{self.channel}: {about} ({self.pk})"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """The questions people ask of deliveries."""

    def waiting(self) -> "DeliveryQuerySet":
        """Deliveries that are still to be told, by channels that send."""
        return self.filter(state=DeliveryState.WAITING, channel__is_enabled=True)

    def dead(self) -> "DeliveryQuerySet":
        """Deliveries whose messages were given up, and are neither sent again nor forgotten."""
        return self.filter(state=DeliveryState.DEAD, message__state=MessageState.DEAD)

    def of_group(self, message: Message) -> "DeliveryQuerySet":
        """Deliveries of the group that a message is of."""
        return self.filter(channel=message.channel_id, severity=message.severity, host=message.host)


class Delivery(models.Model):
    """One change of one incident, as it is to be told to one channel: made once, and told at least once."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="deliveries")
    phase = models.CharField(
        max_length=8, choices=[(each.value, each.value) for each in (Phase.FIRING, Phase.RESOLVED)]
    )
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    ordinal = models.PositiveIntegerField()
    severity = models.CharField(max_length=8)
    host = models.CharField(max_length=128, blank=True, default="")
    state = models.CharField(max_length=8, choices=DeliveryState, default=DeliveryState.WAITING)
    made_at = models.DateTimeField()
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, default=None, related_name="deliveries")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(
                fields=["channel", "severity", "host"], condition=Q(state="waiting", message=None), name="delivery_free"
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "phase", "channel", "ordinal"], name="delivery_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.incident} {self.phase}"
