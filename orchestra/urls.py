"""The site map: the cellar, the three houses and the administration.

`pages` are the conductor's own; the other houses keep theirs in their `urls.py`.
"""

from django.contrib import admin
from django.urls import URLPattern, include, path

pages: list[URLPattern] = []

urlpatterns = [
    path("", include((pages, "orchestra"))),
    path("", include("inventory.foundation.urls")),
    path("", include("inventory.urls")),
    path("", include("billing.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "inventory.foundation.views.bad_request"
handler403 = "inventory.foundation.views.permission_denied"
handler404 = "inventory.foundation.views.page_not_found"
handler500 = "inventory.foundation.views.server_error"
