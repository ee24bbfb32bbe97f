"""Channels, routes and what was sent, in the admin. No secret is ever shown, but a new webhook's, once."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from alerts.models import Channel, Delivery, Message, Route
from alerts.sealing import CannotOpen


class ChannelForm(forms.ModelForm):
    """The form of a channel. Its target is written and never read."""

    new_target = forms.CharField(
        label="New target",
        required=False,
        max_length=2_000,
        strip=True,
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 80}),
        help_text="An e-mail address, a webhook's https://…, or an address of apprise. Empty: as it is.",
    )
    secret = ""

    class Meta:
        model = Channel
        fields: ClassVar = ["name", "kind", "is_enabled"]

    def clean(self) -> dict[str, Any]:
        """Encrypt the new target."""
        cleaned = super().clean() or {}
        target = cleaned.get("new_target", "")
        self.instance.kind = cleaned.get("kind", self.instance.kind)
        if not target and not self.instance.sealed:
            self.add_error("new_target", "a channel needs a target")
        elif target and self.instance.kind:
            self._take(target)
        return cleaned

    def _take(self, target: str) -> None:
        try:
            self.secret = self.instance.set_target(target)
        except CannotOpen:
            self.add_error("new_target", "what is kept cannot be decrypted: remove the channel, and add it anew")
        except ValidationError as error:
            self.add_error("new_target", error)


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    """The ways by which people are told."""

    form = ChannelForm
    list_display = ("name", "kind", "shown", "is_enabled", "sent_at", "problem")
    list_filter = ("kind", "is_enabled")
    fields = ("name", "kind", "new_target", "shown", "is_enabled", "sent_at", "problem")
    readonly_fields = ("shown", "sent_at", "problem")
    empty_value_display = "—"
    actions = ("send_a_test",)

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        # a target of one kind is none of another
        return (*self.readonly_fields, "kind") if obj else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "kind", "new_target", "is_enabled")
        return tuple(name for name in self.fields if name != "new_target" or self.has_change_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        """Show the secret of a new webhook, now and never again. A channel that is switched on need not wait."""
        if "is_enabled" in form.changed_data:
            obj.not_before = None
        super().save_model(request, obj, form, change)
        if form.secret:
            shown = format_html("Its messages are signed by <code>{}</code>. It is shown only now.", form.secret)
            self.message_user(request, shown, messages.SUCCESS)

    @admin.action(description="Send a test message", permissions=["change"])
    def send_a_test(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        """Let workers send a test message through each of these channels that is on."""
        now, on = timezone.now(), [channel for channel in channels if channel.is_enabled]
        Message.objects.bulk_create(
            Message(channel=channel, is_test=True, made_at=now, next_attempt_at=now) for channel in on
        )
        if on:
            self.message_user(request, f"{len(on)} test messages will be sent within a few seconds.", messages.SUCCESS)
        if off := [channel.name for channel in channels if not channel.is_enabled]:
            text = f"No test is sent through channels that are off; switch them on first: {', '.join(off)}"
            self.message_user(request, text, messages.WARNING)


@admin.register(Route)
class RouteAdmin(admin.ModelAdmin):
    """Which incidents are told to which channels."""

    list_display = ("__str__", "shown_channels")
    list_filter = ("severity", "condition", "channels")
    filter_horizontal = ("channels",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        return super().get_queryset(request).prefetch_related("channels")

    @admin.display(description="channels")
    def shown_channels(self, row: Route) -> str:
        return ", ".join(channel.name for channel in row.channels.all())


class ReadOnly(admin.ModelAdmin):
    """What workers write, and people only look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(ReadOnly):
    """What was sent, and what was given up."""

    list_display = ("made_at", "channel", "severity", "host", "state", "attempts", "sent_at", "problem")
    list_filter = ("state", "channel", "severity")
    list_select_related = ("channel",)
    show_full_result_count = False
    empty_value_display = "—"
    actions = ("send_again", "forget")

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Tell whether somebody may have messages sent again: who may change channels."""
        return request.user.has_perm("alerts.change_channel")

    @admin.action(description="Send again what was given up", permissions=["send"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Message]) -> None:
        """Let messages that were given up be sent again."""
        again = Message.objects.filter(pk__in=chosen.values("pk")).send_again(timezone.now())
        self.message_user(request, f"{again} messages will be sent again.", messages.SUCCESS)

    @admin.action(description="Forget what was given up", permissions=["send"])
    def forget(self, request: HttpRequest, chosen: QuerySet[Message]) -> None:
        """Let messages that were given up be no trouble any more."""
        forgotten = Message.objects.filter(pk__in=chosen.values("pk")).forget()
        self.message_user(request, f"{forgotten} messages are forgotten.", messages.SUCCESS)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    """Which change of which incident was told to whom."""

    list_display = ("made_at", "channel", "incident", "phase", "state")
    list_filter = ("state", "phase", "channel")
    list_select_related = ("channel", "incident")
    show_full_result_count = False
