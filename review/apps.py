from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """People judge; machines propose."""

    name = "review"
    default_auto_field = "django.db.models.BigAutoField"
