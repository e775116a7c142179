"""How the API reads bodies. Apart from api.py, which loads what this must be ready for."""

from collections.abc import Mapping
from typing import IO

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """Refuses what is nested so deeply that reading it would exhaust the stack."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> object:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError(_("The JSON is nested too deeply; send the shapes the API describes.")) from None
