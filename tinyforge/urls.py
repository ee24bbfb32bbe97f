"""URLs: the admin is the site."""

from django.contrib import admin
from django.urls import path

admin.site.site_header = admin.site.site_title = "Tinyforge container index"
admin.site.index_title = "Containers and what they serve"

urlpatterns = [path("", admin.site.urls)]
