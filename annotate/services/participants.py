"""Who is at work: the participant behind a signed-in user."""

import secrets
from contextlib import suppress

from annotate.models import Participant, User


def participant_of(user: User) -> Participant:
    """The user's participant, made at first need; looked up once for each loaded user."""
    with suppress(Participant.DoesNotExist):
        return user.participant
    # By its key: a participant just made is not kept with the user, for the transaction may be undone.
    participant, _ = Participant.objects.get_or_create(
        user_id=user.pk, defaults={"pseudonym": f"p-{secrets.token_hex(6)}"}
    )
    return participant
