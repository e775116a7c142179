"""Giving pictures their scores, whether a file says them or a network of ours: one update over all of them.

The scores that stand come from one source, the import that was done last; a threshold means one thing.
"""

from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _

from annotate.models import Campaign
from annotate.services.locks import wait_until_alone
from mlcore.errors import Conflict, InvalidInput
from review.models import ModelVersion, ScoreImport
from review.services.foils.pictures import IS_SURVEY

State = ScoreImport.State

_TABLE = "CREATE TEMPORARY TABLE given_score (picture_id bigint PRIMARY KEY, score float8) ON COMMIT DROP"

_GIVE = """
UPDATE review_picture p SET score_raw = g.score, score = CASE WHEN %(calibrated)s THEN g.score END
FROM given_score g WHERE g.picture_id = p.id
"""

# Only rows that change are written anew.
_TAKE_AWAY = """
UPDATE review_picture p SET score_raw = NULL, score = NULL
WHERE p.campaign_id = %(campaign)s AND (p.score_raw IS NOT NULL OR p.score IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM given_score g WHERE g.picture_id = p.id)
"""

_LEFT = f"""
SELECT count(*) FROM review_picture p
WHERE p.campaign_id = %(campaign)s AND {IS_SURVEY} AND p.score_raw IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM given_score g WHERE g.picture_id = p.id)
"""


def standing(campaign: Campaign) -> ScoreImport | None:
    """Where the campaign's scores come from; None while there are none."""
    done = campaign.score_imports.filter(state=State.DONE).select_related("run__model_version")
    # By when it was done: of two under way the one asked for first may end last.
    return done.order_by("-touched_at", "-pk").first()


def version_of(one: ScoreImport | None) -> ModelVersion | None:
    """The version of our network that gave these scores; None where a file did."""
    return one.run.model_version if one and one.run else None


def name_of(one: ScoreImport) -> str:
    """What people call the source: “version 3 of the foil network”, or the file's name."""
    version = version_of(one)
    return _("version %(n)d of the foil network") % {"n": version.number} if version else one.file_name


def check_same_version(campaign: Campaign, version: ModelVersion) -> None:
    """Only beside scores of this version may others of it be put."""
    source = standing(campaign)
    if source is not None and version_of(source) == version:
        return
    here = _("none") if source is None else name_of(source)
    raise Conflict(
        _(
            "The scores that stand are of another source (%(source)s), and one threshold cannot serve two. "
            "Score all pictures with version %(n)d instead."
        )
        % {"source": here, "n": version.number},
        code="mixed_scores",
    )


def alone(campaign: Campaign) -> None:
    """Until the transaction ends nobody else writes scores of the campaign.

    Not by the workflow's row: leads and judges would wait while hundreds of thousands of rows are written.
    Whoever writes scores takes this first, and then the workflow's row.
    """
    wait_until_alone(f"scores of campaign {campaign.pk}")


def begin(cursor: CursorWrapper) -> None:
    """An empty table given_score (picture_id, score) for whoever gives scores, each picture once."""
    # Whoever gives several times in one transaction has it still.
    cursor.execute("DROP TABLE IF EXISTS given_score")
    cursor.execute(_TABLE)


def give(cursor: CursorWrapper, one: ScoreImport, *, is_whole: bool) -> int:
    """Write the scores of the table given_score to their pictures; to how many.

    Args:
        cursor: In a transaction, with the table filled.
        one: Where they come from.
        is_whole: Pictures that it does not name lose the score they had.

    Raises:
        InvalidInput: Others would keep a score of another kind.
    """
    cursor.execute("ANALYZE given_score")
    given = {"campaign": one.campaign_id, "calibrated": one.is_calibrated}
    if is_whole:
        cursor.execute(_TAKE_AWAY, given)
    else:
        _refuse_mixture(cursor, one)
    cursor.execute(_GIVE, given)
    return int(cursor.rowcount)


def _refuse_mixture(cursor: CursorWrapper, one: ScoreImport) -> None:
    """Raw and calibrated scores, or two networks', cannot stand side by side."""
    before = standing(one.campaign)
    if before is None or _kind(before) == _kind(one):
        return
    cursor.execute(_LEFT, {"campaign": one.campaign_id})
    (n_left,) = cursor.fetchone()
    if n_left:
        raise InvalidInput(
            _(
                "%(n)s pictures have %(old)s scores (%(old_source)s) which %(new)s ones (%(new_source)s) do "
                "not replace, and one threshold cannot serve both. Give all scored pictures a new score."
            )
            % {
                "n": f"{n_left:,}",
                "old": _quality(before),
                "old_source": name_of(before),
                "new": _quality(one),
                "new_source": name_of(one),
            },
            code="mixed_scores",
        )


def _kind(one: ScoreImport) -> tuple[bool, ModelVersion | None]:
    return one.is_calibrated, version_of(one)


def _quality(one: ScoreImport) -> str:
    return _("calibrated") if one.is_calibrated else _("raw")
