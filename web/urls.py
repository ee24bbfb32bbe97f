"""The site's own pages, for people; the API, metrics and probes, for programs."""

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.urls.converters import StringConverter

from web import probes
from web.api.page import page
from web.api.view import api, unknown
from web.metrics import metrics
from web.pages.acknowledging import acknowledge
from web.pages.asking import look_now
from web.pages.changes import change_list
from web.pages.containers import container_list, container_page
from web.pages.hosts import host_page
from web.pages.overview import overview
from web.pages.story import incident_page
from web.pages.workloads import workload_page


class IdConverter(StringConverter):
    """An id, which comes from labels: it may hold whatever a database can look for."""

    regex = r"[^\0]+"


register_converter(IdConverter, "id")

urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview, name="overview"),
    path("containers", container_list, name="containers"),
    path("containers/<id:row_id>", container_page, name="container"),
    path("workloads/<id:workload_id>", workload_page, name="workload"),
    path("hosts/<slug:name>", host_page, name="host"),
    path("hosts/<slug:name>/look", look_now, name="look-now"),
    path("incidents/acknowledge", acknowledge, name="acknowledge"),
    path("incidents/<int:pk>", incident_page, name="incident"),
    path("changes", change_list, name="changes"),
    path(
        "login",
        LoginView.as_view(template_name="web/login.html", extra_context={"title": "Log in · Tinyforge index"}),
        name="login",
    ),
    path("logout", LogoutView.as_view(), name="logout"),
    path("metrics", metrics),
    path("api/v1/", page),
    # a converter would leave paths with a line break to Django's own page of errors
    re_path(r"^api/v1/(?P<path>[\s\S]+)", api),
    re_path(r"^api(/|$)", unknown),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
]

if settings.OIDC:
    urlpatterns += [path("oidc/", include("mozilla_django_oidc.urls"))]
