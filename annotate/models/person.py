"""Who does the work: users, participants, their roles and their skill."""

import uuid
from collections.abc import Iterator

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """Somebody with a sign-in."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # How often all their sessions were ended at once.
    sessions_ended = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    def get_session_auth_hash(self) -> str:
        """What a session must still hold to count: the password's, and since when it counts."""
        return self._since_ended(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for found in super().get_session_auth_fallback_hash():
            yield self._since_ended(found)

    def _since_ended(self, password_hash: str) -> str:
        if not self.sessions_ended:
            return password_hash
        return salted_hmac("annotate.sessions", f"{password_hash} {self.sessions_ended}").hexdigest()


class Participant(models.Model):
    """Who did a piece of work: a user, or an anonymous visitor who may become one."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.OneToOneField(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="participant"
    )
    pseudonym = models.CharField(max_length=40, unique=True)
    # Who an anonymous visitor turned out to be when they signed in: what both did is one person's.
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="earlier_selves"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.user.get_username() if self.user else self.pseudonym


class Role(models.TextChoices):
    """What a member of a campaign may do; annotate.access and review.access say it as data."""

    ANNOTATOR = "annotator", _("Annotator")
    REVIEWER = "reviewer", _("Reviewer")
    PANELIST = "panelist", _("Panelist")
    CHAIR = "chair", _("Chair")
    READER = "reader", _("Reader")
    LEAD = "lead", _("Lead")


class Membership(models.Model):
    """One role of one user in one campaign; a user may hold several."""

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey("annotate.Campaign", on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "user", "role"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role} of {self.campaign}"


class Skill(models.Model):
    """How often a participant's marks are confirmed, per campaign; counts, so that it can be recomputed."""

    id = models.BigAutoField(primary_key=True)
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="skills")
    campaign = models.ForeignKey("annotate.Campaign", on_delete=models.CASCADE, related_name="skills")
    n_found = models.PositiveIntegerField(default=0)
    n_missed = models.PositiveIntegerField(default=0)
    n_alone = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participant", "campaign"], name="skill_once"),
        ]

    def __str__(self) -> str:
        counts = f"{self.n_found} found, {self.n_missed} missed, {self.n_alone} alone"
        return f"{self.participant} in {self.campaign}: {counts}"
