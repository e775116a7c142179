"""Everything that can be asked of annotate; who may ask is in annotate/access.py."""

from django.urls import URLPattern

app_name = "annotate"
urlpatterns: list[URLPattern] = []
