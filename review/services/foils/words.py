"""What outcomes and reasons are called in front of people."""

from django.utils.translation import gettext_lazy as _

from mlcore.consensus.answers.stopping import Outcome

OUTCOMES = {
    Outcome.CANDIDATE: _("candidate"),
    Outcome.UNDECIDED: _("undecided, to reviewers"),
    Outcome.BAD_IMAGE: _("bad image"),
    Outcome.NOTHING: _("nothing there"),
}
