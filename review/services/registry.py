"""Model versions: adopted when a training has ended well, made current by a lead."""

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from mlcore import api
from mlcore.errors import Conflict
from review.models import ModelVersion, Run
from review.services import prediction, runs
from review.services.versions import artifact_of

# What a version's card is given besides what mlcore wrote: the current version on the same test places.
COMPARED_WITH = "compared_with"


def adopt(run: Run, *, compared_with: dict[str, object] | None = None) -> ModelVersion | None:
    """Make a finished training's artifact the campaign's next version; None where the attempt is not current.

    The run is finished in the same transaction, so there is no version without its run and none from an
    attempt that was given up for lost.
    """
    folder = runs.folder_of(run) / api.ARTIFACT_FOLDER
    card = api.read_card(folder).to_json()
    if compared_with:
        card[COMPARED_WITH] = compared_with
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=run.campaign_id)
        if not runs.finish(run):
            return None
        versions = ModelVersion.objects.filter(campaign=run.campaign, system=run.system)
        return ModelVersion.objects.create(
            campaign=run.campaign,
            system=run.system,
            number=(versions.aggregate(last=Max("number"))["last"] or 0) + 1,
            run=run,
            path=str(folder.relative_to(settings.MEDIA_ROOT)),
            card=card,
        )


def promote(*, version: ModelVersion, by: Participant | None) -> Run | None:
    """Make the version current and let it predict over the campaign's elevation model.

    Returns:
        The prediction to enqueue; None where the version is current already.
    """
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=version.campaign_id)
        version.refresh_from_db()
        if version.is_current:
            return None
        if not artifact_of(version).is_dir():
            raise Conflict(
                _("The weights of version %(number)d are no longer on disk; restore runs/ or train again.")
                % {"number": version.number},
                code="artifact_lost",
            )
        siblings = ModelVersion.objects.filter(campaign=version.campaign, system=version.system)
        siblings.filter(is_current=True).update(is_current=False)
        version.is_current, version.promoted_by, version.promoted_at = True, by, timezone.now()
        version.save(update_fields=["is_current", "promoted_by", "promoted_at"])
        return prediction.request_prediction(
            campaign=version.campaign, model_version=version, requested_by=by, again=True
        )
