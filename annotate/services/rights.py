"""Rights over the whole site, as the administration changes them, on the same trail as roles."""

from django.contrib.sessions.backends.db import SessionStore
from django.db.models import F

from annotate.models import AccessChange, User

# Field of User: what kind of change it is.
_WATCHED = {
    "is_staff": AccessChange.Kind.STAFF,
    "is_superuser": AccessChange.Kind.SUPERUSER,
    "is_active": AccessChange.Kind.ACTIVE,
}
Rights = dict[str, bool]


def rights_of(user: User) -> Rights:
    """What the user may do on the whole site, as the database has it; all no where there is no such user."""
    stored = User.objects.filter(pk=user.pk).values(*_WATCHED).first()
    return stored or dict.fromkeys(_WATCHED, False)


def remember_rights(*, user: User, before: Rights, by: User) -> None:
    """Put on the trail what differs from before."""
    now = rights_of(user)
    AccessChange.objects.bulk_create(
        AccessChange(kind=kind, user=user, by=by, before=_word(before[name]), after=_word(now[name]))
        for name, kind in _WATCHED.items()
        if before[name] != now[name]
    )


def remember_password(*, user: User, by: User) -> None:
    """Put on the trail that somebody set another's password."""
    AccessChange.objects.create(kind=AccessChange.Kind.PASSWORD, user=user, by=by)


def end_sessions(user: User) -> None:
    """Sign the user out on every device."""
    User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)


def forget_ended_sessions() -> None:
    """Delete the rows of sessions that have run out; browsers ask for them no more."""
    SessionStore.clear_expired()


def _word(is_so: bool) -> str:
    return "yes" if is_so else "no"
