"""Model versions: which is current, and where its weights lie."""

from pathlib import Path

from django.conf import settings

from annotate.models import Campaign
from review.models import ModelVersion


def current(campaign: Campaign, system: str) -> ModelVersion | None:
    """The version that predicts for the campaign now."""
    return ModelVersion.objects.filter(campaign=campaign, system=system, is_current=True).first()


def artifact_of(version: ModelVersion) -> Path:
    """The folder with the version's weights and card."""
    return Path(settings.MEDIA_ROOT) / version.path
