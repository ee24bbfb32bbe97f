"""URLs: the site's own pages at the root, the admin below /admin/."""

from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = "Tinyforge container index"
admin.site.login_template = "web/admin_login.html"
admin.site.index_title = "Containers and what they serve"

urlpatterns = [path("admin/", admin.site.urls), path("", include("web.urls"))]
handler400 = "web.errors.bad_request"
handler500 = "web.errors.server_error"
