"""How the API knows who is asking. Apart from api.py, which loads what this must be ready for."""

from django.http import HttpRequest
from rest_framework import authentication


class SessionAuthentication(authentication.SessionAuthentication):
    """Answers 401, not 403, to those who are not signed in, so that the page can ask them to."""

    def authenticate_header(self, request: HttpRequest) -> str:
        return "Session"
