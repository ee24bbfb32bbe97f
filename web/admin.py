"""Tokens in the admin: made and removed there, and shown once."""

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html

from web.models import Token


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """What programs show to be let in."""

    list_display = ("name", "scope", "shown_prefix", "created_at", "expires_at", "last_used_at")
    list_filter = ("scope",)
    search_fields = ("name", "prefix")
    empty_value_display = "never"
    fields = ("name", "scope", "expires_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        # who holds a token must not be given more by a slip: make another one
        return ("scope",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Token, form: ModelForm, change: bool) -> None:
        """Draw the secret of a new token and show it, now and never again."""
        text = None if change else obj.draw_secret()
        super().save_model(request, obj, form, change)
        if text:
            shown = format_html("The token is <code>{}</code>. Keep it: it is shown only now.", text)
            self.message_user(request, shown, messages.SUCCESS)

    @admin.display(description="begins with")
    def shown_prefix(self, row: Token) -> str:
        return f"tf_{row.prefix}_…"
