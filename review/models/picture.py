"""Pictures: places of a foil as a microscope saw them, once or at several depths of focus."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign


class PictureQuerySet(models.QuerySet["Picture"]):
    """Pictures, with adjectives for what they are for."""

    def survey(self) -> "PictureQuerySet":
        """Those that are searched for craters; nobody is ever asked about others."""
        return self.filter(purpose=Picture.Purpose.SURVEY)

    def reference(self) -> "PictureQuerySet":
        """Those that craters are cut out of."""
        return self.filter(purpose=Picture.Purpose.REFERENCE)

    def blank(self) -> "PictureQuerySet":
        """Those without a crater, brought in as ground."""
        return self.filter(purpose=Picture.Purpose.BLANK)


class Picture(models.Model):
    """One place of a foil, judged as one thing; its frames differ in focus only."""

    class Purpose(models.TextChoices):
        SURVEY = "survey", _("Survey: searched for craters by people and the network")
        # Of test shots and known ground: they teach the network, and nobody is asked about them.
        REFERENCE = "reference", _("Reference: shows craters that are cut out of it to teach the network")
        BLANK = "blank", _("Blank: foil without a crater, as ground to teach the network on")

    class Side(models.TextChoices):
        TRAIN = "train", _("Training")
        VALIDATION = "validation", _("Validation")
        TEST = "test", _("Test")

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="pictures")
    # As the file was called; leads see it, judges never.
    name = models.CharField(max_length=300)
    foil = models.CharField(max_length=100, blank=True)
    x_um = models.FloatField(null=True, blank=True)
    y_um = models.FloatField(null=True, blank=True)
    nm_per_px = models.FloatField(null=True, blank=True)
    width_px = models.PositiveIntegerField()
    height_px = models.PositiveIntegerField()
    # Of the frames' hashes in their order: the same pixels are the same picture, whatever they are called.
    sha256 = models.CharField(max_length=64)
    purpose = models.CharField(max_length=16, choices=Purpose, default=Purpose.SURVEY)
    # Of a hash of the pixels, so that no picture ever changes sides.
    side = models.CharField(max_length=16, choices=Side)
    # What a network says, as it said it, and calibrated to a probability of a crater.
    score_raw = models.FloatField(null=True, blank=True)
    score = models.FloatField(null=True, blank=True)
    # Made by Tektite and not by a microscope.
    synthetic = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PictureQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "sha256"], name="picture_once"),
        ]
        indexes = [
            models.Index(fields=["campaign", "name"], name="picture_by_name"),
            models.Index(fields=["campaign", "score"], name="picture_by_score"),
        ]

    def __str__(self) -> str:
        return self.name


class Frame(models.Model):
    """One image of a picture: its pixels as they came, and as judges see them."""

    id = models.BigAutoField(primary_key=True)
    picture = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="frames")
    number = models.PositiveSmallIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    bits = models.PositiveSmallIntegerField(default=8)
    # Relative to MEDIA_ROOT: lossless as it came, as it is shown, and small for lists.
    path = models.CharField(max_length=200)
    shown_path = models.CharField(max_length=200)
    thumbnail_path = models.CharField(max_length=200)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["picture", "number"], name="frame_once"),
        ]

    def __str__(self) -> str:
        return f"{self.picture} ({self.number})"
