"""Runs, datasets and versions in the site's admin, and a training started from there.

Classifications and verdicts are not shown, and of subjects nothing that tells how they were judged: staff
judge too, and a list of votes would end their blindness.
"""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.access import me, roles_in
from annotate.admin import CampaignAdmin, MadeElsewhere
from annotate.models import Campaign
from mlcore.errors import NotAllowed, TektiteError
from review.access import MATRIX
from review.models import Dataset, ModelVersion, Run, Subject, Workflow
from review.services import training
from review.services.policies import candidates
from review.tasks import enqueue

admin.site.unregister(Campaign)


@admin.register(Campaign)
class LearningCampaignAdmin(CampaignAdmin):
    """The campaign's admin with a button that starts a training: the same service, the same permission."""

    actions = ["train"]

    @admin.action(description=_("Train a network on what people have settled in the chosen campaigns"))
    def train(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        for campaign in campaigns:
            try:
                if not roles_in(request.user, campaign) & MATRIX["review:api_runs"]["POST"]:
                    raise NotAllowed(gettext("You do not lead this campaign."))
                run = training.request_training(
                    campaign=campaign, system=training.system_of(campaign), requested_by=me(request)
                )
            except TektiteError as refusal:
                self.message_user(request, f"{campaign}: {refusal.message}", messages.ERROR)
                continue
            enqueue(run)
            waits = gettext("%(run)s waits for a worker.") % {"run": run}
            self.message_user(request, waits, messages.SUCCESS)


class ReadOnly(MadeElsewhere):
    """Rows that services write and nobody edits."""

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = [
        "campaign",
        "number",
        "verb",
        "state",
        "attempt",
        "stage",
        "progress",
        "worker",
        "created_at",
    ]
    list_filter = ["verb", "state"]
    search_fields = ["campaign__name"]


@admin.register(Dataset)
class DatasetAdmin(ReadOnly):
    list_display = ["campaign", "system", "sha256", "created_at"]
    list_filter = ["system"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ["campaign", "system", "number", "is_current", "created_at"]
    list_filter = ["system", "is_current"]


class WorkflowForm(forms.ModelForm):
    def clean_settings(self) -> object:
        """Refused here in words, and not at the end of a search."""
        self.instance.settings = self.cleaned_data["settings"]
        try:
            candidates.check_settings(self.instance)
        except TektiteError as refusal:
            raise ValidationError(refusal.message) from None
        return self.instance.settings


@admin.register(Workflow)
class WorkflowAdmin(MadeElsewhere):
    form = WorkflowForm
    list_display = ["campaign", "policy", "question", "created_at"]
    fields = ["uid", "campaign", "policy", "question", "settings"]
    readonly_fields = ["uid", "campaign", "policy"]


@admin.register(Subject)
class SubjectAdmin(ReadOnly):
    list_display = ["uid", "workflow", "created_at"]
    fields = ["uid", "workflow", "created_at"]
