"""Logins at an OpenID Connect provider, which says at each login who somebody is and which role he has.

A person is known here by the provider's subject, never by a name or an address: those can be changed, or given to
somebody else, there. So no account that has a password here can be taken over by whoever has its name there.
"""

import logging
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractUser, Group
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from jwt import PyJWTError
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView

from web.roles import OPERATOR, SUPERUSER, VIEWER

logger = logging.getLogger(__name__)

# A name that begins like this cannot be given to anybody by a form: no form allows a colon in it.
NAME_PREFIX = "oidc:"
MOST_NAME_CHARS = 150
MOST_EMAIL_CHARS = 254
ROLES = {f"tinyforge-{role}": role for role in (SUPERUSER, OPERATOR, VIEWER)}
"""The roles of the index, the most powerful one first, by what the provider calls them."""

Claims = dict[str, Any]


class Provider(OIDCAuthenticationBackend):
    """Lets in whom the provider has let in, if it gives him a role."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> AbstractUser | None:
        """Return who logs in. A provider that cannot be asked, or whose answer is wrong, lets nobody in."""
        try:
            user: AbstractUser | None = super().authenticate(request, **credentials)
        except (OSError, PyJWTError, SuspiciousOperation, LookupError, TypeError, ValueError) as error:
            # the text of a library's error may hold what must not be logged, such as a code
            logger.warning("a login by OIDC failed: %s", type(error).__name__, extra={"action": "oidc_failed"})
            raise PermissionDenied from error
        return user

    def verify_token(self, token: str, **expected: Any) -> Claims:
        """Return what a token says, if it was made by this provider for this site; the library checks the rest."""
        claims: Claims = super().verify_token(token, **expected)
        audience = claims["aud"]
        audiences = audience if isinstance(audience, list) else [audience]
        meant_for = claims.get("azp", self.OIDC_RP_CLIENT_ID)
        if claims["iss"] != settings.OIDC["OIDC_ISSUER"] or self.OIDC_RP_CLIENT_ID not in audiences:
            raise SuspiciousOperation("the token is another provider's, or was made for another site")
        if meant_for != self.OIDC_RP_CLIENT_ID or "exp" not in claims:
            raise SuspiciousOperation("the token was made for another site, or never expires")
        return claims

    def get_userinfo(self, access_token: str, id_token: str, payload: Claims) -> Claims:
        """Return what the provider says of a person, in the token and when it is asked; both speak of the same one."""
        told: Claims = super().get_userinfo(access_token, id_token, payload)
        if told["sub"] != payload["sub"]:
            raise SuspiciousOperation("the provider speaks of somebody else than the token")
        return payload | told

    def verify_claims(self, claims: Claims) -> bool:
        """Tell whether somebody may come in: he has a role, and a subject that can be his name here."""
        name = name_of(claims)
        return role_of(claims) is not None and name.isprintable() and len(name) <= MOST_NAME_CHARS

    def filter_users_by_claims(self, claims: Claims) -> QuerySet[AbstractUser]:
        """Return the account of a person, if he has one."""
        accounts: QuerySet[AbstractUser] = self.UserModel.objects.filter(username=name_of(claims))
        return accounts

    def create_user(self, claims: Claims) -> AbstractUser:
        """Make the account of somebody who comes for the first time; it has no password."""
        return self.update_user(self.UserModel.objects.create_user(name_of(claims)), claims)

    @transaction.atomic
    def update_user(self, user: AbstractUser, claims: Claims) -> AbstractUser:
        """Give somebody the role that the provider says he has now, and take away any other."""
        role = role_of(claims)
        user.email = email_of(claims)
        user.is_superuser = role == SUPERUSER
        user.is_staff = role in {SUPERUSER, OPERATOR}
        user.save(update_fields=["email", "is_superuser", "is_staff"])
        user.groups.set(Group.objects.filter(name=role))
        return user


class Callback(OIDCAuthenticationCallbackView):
    """Where the provider sends people back to."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Log somebody in, if it was this browser that asked for it; nobody else's answer does anything."""
        if request.GET.get("state") not in request.session.get("oidc_states", {}):
            return self.login_failure()
        answer: HttpResponse = super().get(request)
        return answer

    def login_failure(self) -> HttpResponse:
        """Go back to the page for logins, and say that this one failed."""
        messages.error(self.request, "The login at the provider failed, or it gives you no role here. Try again.")
        return redirect(settings.LOGIN_URL)


def name_of(claims: Claims) -> str:
    """Return the name of the account that belongs to a person."""
    return f"{NAME_PREFIX}{claims['sub']}"


def email_of(claims: Claims) -> str:
    """Return the address that the provider tells, as far as it can be kept; it is only shown."""
    email = claims.get("email")
    return email if isinstance(email, str) and email.isprintable() and len(email) <= MOST_EMAIL_CHARS else ""


def role_of(claims: Claims) -> str | None:
    """Return the most powerful role that the provider gives a person, if it gives him any."""
    told = claims.get(settings.OIDC["OIDC_ROLES_CLAIM"])
    names = told if isinstance(told, list) else [told]
    return next((role for called, role in ROLES.items() if called in names), None)
