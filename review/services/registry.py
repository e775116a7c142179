"""Model versions: adopted when a training has ended well, made current by a lead."""

from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from mlcore import api
from mlcore.errors import Conflict, TektiteError
from review.models import ModelVersion, Run
from review.services import prediction, runs
from review.services.foils.network import learning
from review.services.versions import artifact_of

# What a version is put to as soon as it is current, if there is anything to do.
FOLLOWS: dict[str, Callable[..., Run | None]] = {
    "crater_detector": prediction.request_prediction,
    "foil_classifier": learning.follow,
}
# What a version's card is given besides what mlcore wrote: the current version on the same test places.
COMPARED_WITH = "compared_with"


def adopt(run: Run, *, compared_with: dict[str, object] | None = None) -> ModelVersion | None:
    """Make a finished training's artifact the campaign's next version, and current where that was wished.

    The run is finished in the same transaction, so there is no version without its run and none from an
    attempt that was given up for lost. Done twice, because a commit's answer was lost, it gives the same.

    Returns:
        The version, or None where the attempt is not current. A search that follows waits in its row.
    """
    folder = runs.folder_of(run) / api.ARTIFACT_FOLDER
    card = api.read_card(folder).to_json()
    if compared_with:
        card[COMPARED_WITH] = compared_with
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=run.campaign_id)
        path = str(folder.relative_to(settings.MEDIA_ROOT))
        if not runs.finish(run):
            return ModelVersion.objects.filter(run=run, path=path).first()
        versions = ModelVersion.objects.filter(campaign=run.campaign, system=run.system)
        version = ModelVersion.objects.create(
            campaign=run.campaign,
            system=run.system,
            number=(versions.aggregate(last=Max("number"))["last"] or 0) + 1,
            run=run,
            path=path,
            card=card,
        )
        if run.config.get("promote"):
            _promote_as_wished(version)
        return version


def _promote_as_wished(version: ModelVersion) -> None:
    """What its requester asked for; where that is refused the version stays, and the log says why."""
    try:
        with transaction.atomic():
            promote(version=version, by=version.run.requested_by)
    except TektiteError as refusal:
        why = _("It was to become current when finished, which was refused: %(why)s")
        runs.log(version.run, why % {"why": refusal.message})


def promote(*, version: ModelVersion, by: Participant | None) -> Run | None:
    """Make the version current and let it search what the campaign has: elevation model or pictures.

    Returns:
        The run to enqueue; None where the version is current already, or there is nothing to search.
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
        return FOLLOWS[version.system](
            campaign=version.campaign, model_version=version, requested_by=by, again=True
        )
