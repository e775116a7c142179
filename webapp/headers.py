"""Headers of safety that Django and django-csp do not send themselves."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Nothing here needs the device's senses; a page that is hijacked shall not have them either.
_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "publickey-credentials-get",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


class SafetyHeadersMiddleware:
    """No other site may embed our answers, no device may be reached, no shared cache may keep a page.

    It stands first, so that static files get the headers too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Static files say for themselves how long they keep; all else depends on who asks.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
