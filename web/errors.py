"""What Django refuses or fails at before or after a view: below /api/ in RFC 9457's form, elsewhere as a page."""

from django.http import HttpRequest, HttpResponseBase
from django.views import defaults

from web.problems import Problem, problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a request that Django refuses, such as one with an unknown Host header."""
    if _is_of_the_api(request):
        return problem(Problem.BAD_REQUEST, "the request is not usable; is its Host header among ALLOWED_HOSTS?")
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a request that an error of ours has spoiled."""
    if _is_of_the_api(request):
        return problem(Problem.SERVER_ERROR, "an error of the index; its log says which")
    return defaults.server_error(request)


def _is_of_the_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")
