"""Who may use what of the API: a token, or for reading a person who is logged in."""

from django.contrib.auth import get_user
from django.contrib.auth.models import AbstractBaseUser, AbstractUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from web.models import Scope, Token
from web.problems import Problem, problem

MAY_LOOK = "reconciler.view_container"
"""What a person must be allowed, in the admin too, to read what the index knows."""


def token_of(request: HttpRequest) -> Token | None:
    """Return the token that a request shows, if it shows one that is good."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text:
        return None
    now = timezone.now()
    token = Token.objects.find(text.strip(), now)
    if token:
        Token.objects.note_use(token, now)
    return token


def refusal_of(request: HttpRequest, scope: Scope) -> HttpResponse | None:
    """Return why a request may not have what wants a scope, as the answer to it; None if it may."""
    admitted = admit(request, scope)
    return admitted if isinstance(admitted, HttpResponse) else None


def admit(request: HttpRequest, scope: Scope) -> Token | AbstractBaseUser | HttpResponse:
    """Return who asks, if he may have what wants a scope; otherwise the answer that says why not."""
    if request.headers.get("Authorization"):
        return _admit_program(token_of(request), scope)
    if request.user.is_authenticated and request.user.is_active:
        return _admit_person(request.user, scope)
    return _unauthorized("show a token: Authorization: Bearer tf_…")


def is_still_admitted(request: HttpRequest, scope: Scope) -> bool:
    """Tell whether whoever was let in before would be let in now: it asks the database, whatever the request holds."""
    if request.headers.get("Authorization"):
        return isinstance(_admit_program(token_of(request), scope), Token)
    if not request.session.exists(request.session.session_key or ""):
        return False
    person = get_user(request)
    return bool(person.is_active and person.has_perm(MAY_LOOK))


def _admit_program(token: Token | None, scope: Scope) -> Token | HttpResponse:
    if token is None:
        return _unauthorized("the token is unknown, wrong or has expired")
    if token.allows(scope):
        return token
    return problem(Problem.FORBIDDEN, f"the token may {Scope(token.scope).label}; this wants the scope {scope}")


def _admit_person(person: AbstractUser, scope: Scope) -> AbstractUser | HttpResponse:
    if scope is not Scope.READ:
        return problem(Problem.FORBIDDEN, "a session may only read: show a token")
    if person.has_perm(MAY_LOOK):
        return person
    return problem(Problem.FORBIDDEN, "you may not look at containers: join the group viewer or operator")


def _unauthorized(detail: str) -> HttpResponse:
    response = problem(Problem.UNAUTHORIZED, detail)
    response["WWW-Authenticate"] = 'Bearer realm="tinyforge"'
    return response
