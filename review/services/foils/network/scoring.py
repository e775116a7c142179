"""Scoring: the foil network says of each picture of a campaign how likely it shows a crater.

Here a run is asked for; picture_windows.py has its windows, and going through them is services/searching.py.

Scores are the probabilities of the network's card. These hold where craters are as frequent as among its
validation pictures, which on a foil they are not: so they count as raw, and stream/score_calibration.py
carries them over. A scoring of all pictures replaces every score there was; one of new pictures only adds to
scores of the same version.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from mlcore.errors import Conflict, InvalidInput
from review.models import ModelVersion, Picture, Run
from review.services import room, runs
from review.services.foils.network import picture_windows
from review.services.foils.network.picture_windows import ONLY_NEW
from review.services.foils.stream import giving
from review.services.versions import artifact_of

SYSTEM = "foil_classifier"


def request_scoring(
    *,
    campaign: Campaign,
    model_version: ModelVersion | None,
    requested_by: Participant | None,
    again: bool = False,
    only_new: bool = False,
) -> Run:
    """A queued run that scores the campaign's pictures, with its windows planned.

    Pictures that come after this are not in it: unscored(campaign) counts them, and only_new scores them.

    Args:
        campaign: Whose pictures, known ones among them.
        model_version: May be of another campaign.
        requested_by: Who wanted it.
        again: It follows from something else, a promotion: what is under way for the same version is
            returned, and what is under way for another one is cancelled in its favour.
        only_new: Only pictures without a score, where those that stand are of the same version.

    Raises:
        InvalidInput: No version, none of this network, or nothing to score.
        Conflict: Pictures are being scored already, the weights are lost, or only_new would add scores of
            this version to another source's.
        NoRoom: Too little of the disk is free.
    """
    version = _usable(model_version)
    if not again:
        room.require_for_prediction()
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if only_new:
            giving.check_same_version(campaign, version)
        if under_way := _under_way(campaign, version, requested_by, again=again, only_new=only_new):
            return under_way
        run = runs.create(
            campaign=campaign,
            system=SYSTEM,
            verb=Run.Verb.PREDICT,
            requested_by=requested_by,
            model_version=version,
            config={ONLY_NEW: True} if only_new else {},
        )
        if not picture_windows.plan(run):
            raise InvalidInput(
                _("Every picture has a score of this version; there is nothing to do.")
                if only_new
                else _("The campaign has no pictures to score; bring some in first."),
                code="no_pictures",
            )
    return run


def unscored(campaign: Campaign) -> int:
    """Pictures without a score: brought in since the last scoring, or not readable then."""
    return Picture.objects.survey().filter(campaign=campaign, score_raw__isnull=True).count()


def under_way(campaign: Campaign) -> Run | None:
    """The scoring that waits or runs."""
    active = Run.objects.active().filter(campaign=campaign, system=SYSTEM, verb=Run.Verb.PREDICT)
    # What is being cancelled changes nothing any more.
    return active.exclude(state=Run.State.CANCELLING).order_by("pk").select_related("model_version").first()


def _usable(version: ModelVersion | None) -> ModelVersion:
    if version is None:
        raise InvalidInput(
            _("No version of the foil network is current here; train and promote one first."),
            code="no_version",
        )
    if version.system != SYSTEM:
        raise InvalidInput(
            _("Version %(n)d is of %(system)s, which looks at no pictures of foils; choose another.")
            % {"n": version.number, "system": version.system},
            code="wrong_system",
        )
    if not artifact_of(version).is_dir():
        raise Conflict(
            _("The weights of version %(number)d are no longer on disk; restore runs/ or train again.")
            % {"number": version.number},
            code="artifact_lost",
        )
    return version


def _under_way(
    campaign: Campaign, version: ModelVersion, by: Participant | None, *, again: bool, only_new: bool
) -> Run | None:
    """The run that does this already; what stands in the way of it is refused, or cancelled where `again`."""
    run = under_way(campaign)
    if run is None:
        return None
    if not again:
        raise Conflict(
            _("Run %(number)d already scores pictures with version %(n)d; wait for it or cancel it.")
            % {"number": run.number, "n": run.model_version.number},
            code="already_scoring",
        )
    if run.model_version == version and bool(run.config.get(ONLY_NEW)) == only_new:
        return run
    runs.cancel(run=run, by=by)
    return _under_way(campaign, version, by, again=again, only_new=only_new)
