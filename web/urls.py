"""The site's own pages: none for people yet, so its root leads to the admin; probes."""

from django.urls import path
from django.views.generic import RedirectView

from web import probes
from web.metrics import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("metrics", metrics),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
]
