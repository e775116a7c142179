"""The URL tree. Who may use what: annotate/access.py and review/access.py."""

from django.contrib import admin
from django.urls import include, path

from webapp.health import health

urlpatterns = [
    path("", include("review.urls")),
    path("", include("annotate.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health, name="health"),
]
