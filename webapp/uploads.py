"""Refuses an upload by its headers, before a byte of it is read: too large, from nobody, or without room."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from annotate.access import SignInNeeded
from annotate.services import storage
from annotate.services.disk import in_words
from mlcore.errors import TektiteError, TooLarge
from webapp.api import RefusalMiddleware

# Fields and boundaries beside the file itself.
_OVERHEAD_BYTES = 1_000_000


class UploadLimitMiddleware:
    """Stands before the CSRF check, which reads the form and with it the whole file."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._refusals = RefusalMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, arguments: object, named: object
    ) -> HttpResponse | None:
        """The refusal; None where the upload may be read."""
        if request.content_type != "multipart/form-data":
            return None
        try:
            _check(request, int(request.META.get("CONTENT_LENGTH") or 0))
        except TektiteError as refusal:
            return self._refusals.process_exception(request, refusal)
        return None


def _check(request: HttpRequest, length: int) -> None:
    if length > settings.MAX_UPLOAD_BYTES + _OVERHEAD_BYTES:
        raise TooLarge(
            _(
                "What you sent has %(size)s, and at most %(limit)s are taken. Cut it into parts, or have it "
                "added on the server with manage.py add_basemap."
            )
            % {"size": in_words(length), "limit": in_words(settings.MAX_UPLOAD_BYTES)}
        )
    if length <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        # A form with little in it; the services look at what it brings.
        return
    if not request.user.is_authenticated:
        raise SignInNeeded(_("Sign in before you send a file."))
    storage.check_room(_("Your file"), length, arrived=False)


class UploadHandler(TemporaryFileUploadHandler):
    """Django's own, but what cannot be written to the end is gone at once and not when memory is cleared."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._whole_or_gone():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile:
        with self._whole_or_gone():
            return super().file_complete(file_size)

    @contextmanager
    def _whole_or_gone(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            # Closing writes once more what is left, which fails again, and then removes the file.
            with suppress(OSError):
                self.file.close()
            raise
