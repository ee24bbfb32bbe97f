"""The site's own pages: none for people yet, so its root leads to the admin; API, probes."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from web import probes
from web.api.page import page
from web.api.view import api, unknown
from web.metrics import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("metrics", metrics),
    path("api/v1/", page),
    # a converter would leave paths with a line break to Django's own page of errors
    re_path(r"^api/v1/(?P<path>[\s\S]+)", api),
    re_path(r"^api(/|$)", unknown),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
]
