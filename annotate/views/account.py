"""What a person does with their own sign-in, beyond allauth's pages."""

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from annotate import access
from annotate.services.rights import end_sessions


@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End this session and all others: for a device that is lost, or was somebody else's."""
    access.authorise(request)
    end_sessions(request.user)
    logout(request)
    messages.success(request, _("You are signed out everywhere."))
    return redirect("review:home")
