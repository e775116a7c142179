"""Everything that can be asked of review; who may ask is in review/access.py."""

from django.urls import URLPattern

app_name = "review"
urlpatterns: list[URLPattern] = []
