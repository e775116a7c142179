"""Who may do what with workflows, subjects, runs and model versions: the matrix, as data."""

from uuid import UUID

from allauth.core.internal.httpkit import get_client_ip
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.access import (
    DRAWERS,
    LEADS,
    MEMBERS,
    PEOPLE,
    READERS,
    SIGHTED,
    STAFF_ONLY,
    WATCHING,
    Matrix,
    Permission,
    SignInNeeded,
    authorise,
    roles_in,
)
from annotate.access import get_campaign as get_campaign_by_matrix
from annotate.access import get_map_campaign as get_map_campaign_by_matrix
from annotate.models import Basemap, Campaign, Catalogue, Participant, Role
from mlcore.errors import Conflict, NotAllowed, NotFound
from review.models import (
    CutOut,
    Errand,
    Frame,
    ModelVersion,
    Picture,
    PictureImport,
    Run,
    Showing,
    Subject,
    Workflow,
)
from review.services.foils.judging import networks, pace, selves
from review.services.foils.judging.selves import Person

REVIEWERS: Permission = frozenset({Role.REVIEWER, Role.LEAD})
# Who may see what others found on foils; see get_results for who judges, too.
RESULTS: Permission = REVIEWERS | WATCHING

# Where the session keeps a visitor's uid.
VISITOR = "triage_visitor"
VISITED = "triage_visited"

# {URL name: {method: who}}. Staff may do everything; HEAD counts as GET.
MATRIX: Matrix = {
    "review:home": {"GET": READERS},
    "review:profile": {"GET": PEOPLE},
    "review:operator": {"GET": STAFF_ONLY},
    "review:operator_live": {"GET": STAFF_ONLY},
    "review:review": {"GET": DRAWERS},
    "review:models": {"GET": MEMBERS},
    "review:foils": {"GET": READERS},
    "review:foil_sample": {"GET": READERS},
    "review:foil_errand": {"GET": LEADS},
    "review:foil_thumbnail": {"GET": RESULTS},
    "review:foil_results": {"GET": RESULTS},
    "review:foil_results_csv": {"GET": RESULTS},
    "review:foil_test_set": {"GET": RESULTS},
    "review:foil_statistics": {"GET": RESULTS},
    "review:foil_figure": {"GET": RESULTS},
    "review:foil_candidate": {"GET": RESULTS, "POST": REVIEWERS},
    "review:foil_reckon": {"POST": LEADS},
    "review:foil_stream": {"GET": LEADS, "POST": LEADS},
    "review:foil_network": {"GET": MEMBERS},
    "review:foil_gold": {"GET": LEADS, "POST": LEADS},
    "review:foil_gold_add": {"GET": LEADS, "POST": LEADS},
    "review:foil_rules": {"GET": LEADS, "POST": LEADS},
    "review:foil_retired": {"GET": LEADS, "POST": LEADS},
    "review:foil_simulation": {"GET": LEADS, "POST": LEADS},
    "review:foil_people": {"GET": LEADS, "POST": LEADS},
    "review:foil_images": {"GET": LEADS, "POST": LEADS},
    "review:foil_cut_outs": {"GET": REVIEWERS, "POST": REVIEWERS},
    "review:foil_cut": {"GET": REVIEWERS},
    "review:foil_cut_out": {"GET": REVIEWERS},
    "review:foil_frame": {"GET": RESULTS},
    "review:foil_import": {"GET": LEADS, "POST": LEADS},
    "review:foil_correction": {"POST": LEADS},
    "review:foil_batch": {"GET": LEADS, "POST": LEADS},
    "review:foil_batch_status": {"GET": LEADS},
    "review:foil_batch_confirm": {"POST": LEADS},
    "review:foil_batch_stop": {"POST": LEADS},
    "review:foil_batch_go_on": {"POST": LEADS},
    "review:foil_batch_discard": {"POST": LEADS},
    "review:foil_batch_refused": {"GET": LEADS},
    "review:triage": {"GET": READERS},
    "review:triage_lesson": {"GET": READERS},
    "review:run": {"GET": MEMBERS},
    "review:model_version": {"GET": MEMBERS},
    # Annotators judge too, blind: without scores, reasons and neighbours.
    "review:api_next": {"POST": DRAWERS},
    "review:api_classifications": {"POST": DRAWERS},
    "review:api_back": {"POST": DRAWERS},
    "review:api_cutout": {"GET": DRAWERS},
    # Anyone judges pictures of foils; whose answers they are is asked in judge_of.
    "review:api_triage": {"GET": READERS},
    "review:api_triage_start": {"POST": READERS},
    "review:api_triage_next": {"POST": READERS},
    "review:api_triage_answers": {"POST": READERS},
    "review:api_triage_back": {"POST": READERS},
    "review:api_showing_frame": {"GET": READERS},
    "review:api_foil_cut_outs": {"GET": REVIEWERS, "POST": REVIEWERS},
    "review:api_foil_cut_out_withdraw": {"POST": REVIEWERS},
    "review:api_foil_cut_out_restore": {"POST": REVIEWERS},
    "review:api_run": {"GET": MEMBERS},
    "review:api_runs": {"POST": LEADS},
    "review:api_run_cancel": {"POST": LEADS},
    "review:api_promote": {"POST": LEADS},
}


def get_campaign(request: HttpRequest, uid: UUID) -> Campaign:
    """The campaign, if the asker may do with it what this URL of review does."""
    return get_campaign_by_matrix(request, uid, matrix=MATRIX)


def get_foils(request: HttpRequest, uid: UUID) -> Campaign:
    """The campaign, as get_campaign; one that has no pictures of foils has no such pages."""
    campaign = get_campaign(request, uid)
    if campaign.kind != Campaign.Kind.FOIL:
        raise NotFound(_("“%(name)s” has no pictures of foils to judge.") % {"name": campaign.name})
    return campaign


def get_results(request: HttpRequest, uid: UUID) -> Campaign:
    """The campaign, for who may see what others found in it.

    Raises:
        NotAllowed: The asker watches and judges, too.
    """
    campaign = get_foils(request, uid)
    _refuse_judges(request, campaign)
    return campaign


def get_candidate(request: HttpRequest, uid: UUID) -> Subject:
    """A picture with all that became of it, for who may see that."""
    pictures = Subject.objects.filter(picture__isnull=False).select_related(
        "workflow__campaign", "picture", "rule", "audit"
    )
    subject = pictures.filter(uid=uid).first()
    if subject is None:
        raise NotFound(_("There is no candidate at this address."))
    authorise(request, subject.workflow.campaign, matrix=MATRIX)
    _refuse_judges(request, subject.workflow.campaign)
    return subject


def _refuse_judges(request: HttpRequest, campaign: Campaign) -> None:
    roles = roles_in(request.user, campaign)
    if Role.ANNOTATOR in roles and not roles & SIGHTED:
        raise NotAllowed(
            _("You judge in “%(name)s”, so what others found there stays hidden from you.")
            % {"name": campaign.name},
            code="blind",
        )


def get_map_campaign(request: HttpRequest, uid: UUID) -> Campaign:
    """The same, where the page or call is about maps and makes no sense for pictures of foils."""
    return get_map_campaign_by_matrix(request, uid, matrix=MATRIX)


def get_workflow(request: HttpRequest, uid: UUID) -> Workflow:
    """The workflow, if the asker may do with it what this URL does."""
    workflow = Workflow.objects.select_related("campaign").filter(uid=uid).first()
    if workflow is None:
        raise NotFound(_("There is no workflow at this address."))
    authorise(request, workflow.campaign, matrix=MATRIX)
    return workflow


def get_desk(request: HttpRequest, uid: UUID) -> Workflow:
    """The workflow of a review desk, if the asker may do with it what this URL does.

    Raises:
        NotFound: It is a triage: its pictures are reached by showings only.
    """
    workflow = get_workflow(request, uid)
    if workflow.policy != Workflow.Policy.CANDIDATES:
        raise NotFound(_("There is no review desk at this address."))
    return workflow


def get_triage(request: HttpRequest, uid: UUID) -> Workflow:
    """The triage, if the asker may judge in it; a visitor who has signed in meanwhile is taken over first.

    Raises:
        OtherPerson: The page belongs to somebody else than who asks now.
    """
    workflow = (
        Workflow.objects.select_related("campaign").filter(uid=uid, policy=Workflow.Policy.TRIAGE).first()
    )
    if workflow is None:
        raise NotFound(_("There is no triage at this address."))
    person = find_judge(request)
    authorise(request, workflow.campaign, matrix=MATRIX)
    owner = request.headers.get("X-Participant")
    if owner and not request.user.is_authenticated and not _is_one_of(owner, person):
        raise _page_of_another(owner)
    return workflow


def find_judge(request: HttpRequest) -> Person | None:
    """Who judges: whoever is signed in, else the visitor of this session; None before they have begun."""
    if hasattr(request, "judge"):
        return request.judge
    visitor = request.session.get(VISITOR)
    if request.user.is_authenticated:
        if visitor:
            selves.adopt(user=request.user, anonymous=UUID(visitor))
            del request.session[VISITOR]
        person = selves.person_of(request.user)
    else:
        person = selves.anonymous_person(UUID(visitor)) if visitor else None
        _stay(request, person)
    request.judge = person
    return person


def _stay(request: HttpRequest, person: Person | None) -> None:
    """A session ends so many days after it was last saved: a visitor's is saved on each day they come."""
    today = timezone.localdate().isoformat()
    if person is not None and request.session.get(VISITED) != today:
        request.session[VISITED] = today


def get_judge(request: HttpRequest) -> Person:
    """Who judges.

    Raises:
        NotAllowed: Nobody is signed in, and the browser brought no cookie of a visitor's.
    """
    person = find_judge(request)
    if person is None:
        raise NotAllowed(
            _(
                "Your browser has brought no cookie, so your answers could not be told from anybody else's. "
                "Allow cookies for this site and load the page again, or sign in."
            ),
            code="no_cookie",
        )
    return person


def begin_judging(request: HttpRequest) -> Person:
    """Who judges; a visitor is made, and kept in the session, where nobody is signed in."""
    person = find_judge(request)
    if person is None:
        pace.of_visitors(network_of(request))
        person = selves.begin_anonymous()
        request.session[VISITOR] = str(person.participant.uid)
        request.judge = person
    return person


def network_of(request: HttpRequest) -> str:
    """A hash of the network that the request comes from."""
    return networks.hash_of(get_client_ip(request))


def get_frame(request: HttpRequest, uid: UUID, number: int) -> Frame:
    """An image of a picture that was shown to the asker; nobody else's, whatever the role."""
    person = find_judge(request)
    showing = (
        Showing.objects.select_related("subject__workflow__campaign")
        .filter(uid=uid, participant__in=person.pks if person else [])
        .first()
    )
    if showing is None:
        raise NotFound(_("There is no picture shown to you at this address."))
    authorise(request, showing.subject.workflow.campaign, matrix=MATRIX)
    frame = (
        Frame.objects.select_related("picture")
        .filter(picture=showing.subject.picture_id, number=number)
        .first()
    )
    if frame is None:
        raise NotFound(_("This picture has no such image; load the page again."))
    return frame


def _is_one_of(owner: str, person: Person | None) -> bool:
    return person is not None and owner in {str(self_.uid) for self_ in person.selves}


def _page_of_another(owner: str) -> NotAllowed | Conflict:
    """What to say to a page whose owner is not who asks: they have signed out, or lost their cookie."""
    if Participant.objects.filter(uid__in=_uids(owner), user__isnull=False).exists():
        return SignInNeeded(_("You have signed out since this page was loaded; sign in again to go on."))
    return NotAllowed(
        _("Your browser no longer brings the cookie of this page; load the page again."), code="no_cookie"
    )


def _uids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []


def get_subject(request: HttpRequest, uid: UUID) -> Subject:
    """The subject of a review desk, if the asker may do with it what this URL does."""
    of_features = Subject.objects.filter(feature__isnull=False)
    subject = of_features.select_related("workflow__campaign", "feature").filter(uid=uid).first()
    if subject is None:
        raise NotFound(_("There is no subject at this address."))
    authorise(request, subject.workflow.campaign, matrix=MATRIX)
    return subject


def get_batch(request: HttpRequest, uid: UUID) -> PictureImport:
    """Pictures on their way in, if the asker may do with them what this URL does."""
    batch = PictureImport.objects.select_related("campaign").filter(uid=uid).first()
    if batch is None:
        raise NotFound(_("There are no pictures on their way in at this address; they may be discarded."))
    authorise(request, batch.campaign, matrix=MATRIX)
    return batch


def get_picture_frame(request: HttpRequest, uid: UUID, number: int) -> Frame:
    """One image of a picture, for leads; judges reach it by their showings only."""
    frames = Frame.objects.select_related("picture__campaign")
    frame = frames.filter(picture__uid=uid, number=number).first()
    if frame is None:
        raise NotFound(_("There is no picture at this address."))
    authorise(request, frame.picture.campaign, matrix=MATRIX)
    return frame


def get_errand(request: HttpRequest, uid: UUID) -> Errand:
    """The errand, if the asker may do with it what this URL does."""
    errand = Errand.objects.select_related("workflow__campaign", "asked_by__user").filter(uid=uid).first()
    if errand is None:
        raise NotFound(_("There is no errand at this address."))
    authorise(request, errand.workflow.campaign, matrix=MATRIX)
    return errand


def get_picture(request: HttpRequest, uid: UUID) -> Picture:
    """The picture by its own name, which judges never learn, if the asker may do what this URL does."""
    picture = Picture.objects.select_related("campaign").filter(uid=uid).first()
    if picture is None:
        raise NotFound(_("There is no picture at this address."))
    authorise(request, picture.campaign, matrix=MATRIX)
    return picture


def get_cut_out(request: HttpRequest, uid: UUID) -> CutOut:
    """The cut-out, if the asker may do with it what this URL does."""
    found = CutOut.objects.select_related("picture__campaign", "by__user", "withdrawn_by__user")
    cut_out = found.filter(uid=uid).first()
    if cut_out is None:
        raise NotFound(_("There is no cut-out at this address."))
    authorise(request, cut_out.picture.campaign, matrix=MATRIX)
    return cut_out


def find_cut_out(request: HttpRequest, uid: UUID | None) -> CutOut | None:
    """A cut-out that the asker names besides the address; None where none is named."""
    return get_cut_out(request, uid) if uid else None


def get_run(request: HttpRequest, uid: UUID) -> Run:
    """The run, if the asker may do with it what this URL does."""
    run = (
        Run.objects.select_related("campaign", "dataset", "model_version", "basemap").filter(uid=uid).first()
    )
    if run is None:
        raise NotFound(_("There is no run at this address."))
    authorise(request, run.campaign, matrix=MATRIX)
    return run


def get_model_version(request: HttpRequest, uid: UUID) -> ModelVersion:
    """The model version, if the asker may do with it what this URL does."""
    version = ModelVersion.objects.select_related("campaign", "run").filter(uid=uid).first()
    if version is None:
        raise NotFound(_("There is no model version at this address."))
    authorise(request, version.campaign, matrix=MATRIX)
    return version


def is_reviewer(request: HttpRequest, campaign: Campaign) -> bool:
    """Whether the asker's answers decide, and scores are shown to them."""
    return bool(roles_in(request.user, campaign) & REVIEWERS)


def find_model_version(request: HttpRequest, uid: UUID | None) -> ModelVersion | None:
    """A version of any campaign that the asker may see; None where none is named."""
    if uid is None:
        return None
    seen = Campaign.objects.visible_to(request.user)
    version = ModelVersion.objects.select_related("campaign").filter(uid=uid, campaign__in=seen).first()
    if version is None:
        raise NotFound(_("There is no model version of that identifier, or it is not open to you."))
    return version


def find_basemap(request: HttpRequest, uid: UUID | None) -> Basemap | None:
    """A basemap that the asker added or may see in a campaign; None where none is named."""
    if uid is None:
        return None
    if request.user.is_staff:
        own = Q()
    else:
        seen = Campaign.objects.visible_to(request.user)
        own = Q(added_by__user=request.user) | Q(campaigns__in=seen) | Q(derived__campaigns__in=seen)
    basemap = Basemap.objects.filter(own, uid=uid).first()
    if basemap is None:
        raise NotFound(_("There is no basemap of that identifier, or it is not open to you."))
    return basemap


def find_catalogues(request: HttpRequest, uids: list[UUID]) -> list[Catalogue]:
    """Catalogues by identifier, in the order given: of campaigns the asker may see, and of none."""
    seen = Campaign.objects.visible_to(request.user)
    found = Catalogue.objects.filter(Q(campaign__isnull=True) | Q(campaign__in=seen), uid__in=uids)
    by_uid = {catalogue.uid: catalogue for catalogue in found}
    missing = [str(uid) for uid in uids if uid not in by_uid]
    if missing:
        raise NotFound(
            _("There is no catalogue of the identifier %(uid)s, or it is not open to you.")
            % {"uid": ", ".join(missing)}
        )
    return [by_uid[uid] for uid in uids]
