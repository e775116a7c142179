"""Who may do what, as it changed: a trail that only grows."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.campaign import Campaign
from annotate.models.person import User


class AccessChange(models.Model):
    """One change of what somebody may do; the database refuses to alter or delete it.

    `before` and `after` hold role keys in a campaign, or "yes" and "no" for a right over the whole site.
    Whoever deletes their account takes their name from here too: the row stays, without the person.
    """

    class Kind(models.TextChoices):
        ROLES = "roles", _("roles in a campaign")
        STAFF = "staff", _("may use the administration")
        SUPERUSER = "superuser", _("may do everything")
        ACTIVE = "active", _("may sign in")
        PASSWORD = "password", _("password set by the administration")

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=16, choices=Kind)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="access_changes")
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="access_changes_made")
    campaign = models.ForeignKey(
        Campaign, null=True, on_delete=models.SET_NULL, related_name="access_changes"
    )
    # Kept when the campaign is deleted.
    campaign_name = models.CharField(max_length=200, blank=True)
    before = models.CharField(max_length=200, blank=True)
    after = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display()}, “{self.before}” → “{self.after}”"
