"""The URL tree. Who may use what: annotate/access.py and review/access.py."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from webapp import openapi
from webapp.health import health, health_of_web

# The same door, and the same counting of wrong passwords, for staff.
admin.site.login = secure_admin_login(admin.site.login)
handler404 = "webapp.api.not_found"
handler500 = "webapp.errors.server_error"
handler429 = "webapp.accounts.too_many"
urlpatterns = [
    path("", include("review.urls")),
    path("", include("annotate.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/", openapi.reference, name="api"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("healthz", health, name="health"),
    path("healthz/web", health_of_web, name="health_of_web"),
]
