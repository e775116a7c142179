"""Everything that can be asked of review; who may ask is in review/access.py."""

from django.urls import URLPattern, path

from review.views import api, judging, learning, operator, pages
from review.views.foils import errands, hub, judging_api, triage

app_name = "review"
urlpatterns: list[URLPattern] = [
    path("", pages.home, name="home"),
    path("profile/", pages.profile, name="profile"),
    path("operator/", operator.operator, name="operator"),
    path("operator/live/", operator.operator_live, name="operator_live"),
    path("campaigns/<uuid:uid>/review/", judging.review, name="review"),
    path("campaigns/<uuid:uid>/models/", learning.models, name="models"),
    path("campaigns/<uuid:uid>/foils/", hub.hub, name="foils"),
    path("foil-errands/<uuid:uid>/", errands.errand, name="foil_errand"),
    path("campaigns/<uuid:uid>/triage/", triage.triage, name="triage"),
    path("triage/lessons/<slug:key>.jpg", triage.lesson, name="triage_lesson"),
    path("runs/<uuid:uid>/", learning.run, name="run"),
    path("model-versions/<uuid:uid>/", learning.model_version, name="model_version"),
    path("api/v1/workflows/<uuid:uid>/next", api.next_subject, name="api_next"),
    path("api/v1/workflows/<uuid:uid>/classifications", api.classify, name="api_classifications"),
    path("api/v1/workflows/<uuid:uid>/back", api.back, name="api_back"),
    path("api/v1/subjects/<uuid:uid>/cutout", api.cutout, name="api_cutout"),
    path("api/v1/triage/<uuid:uid>/state", judging_api.state, name="api_triage"),
    path("api/v1/triage/<uuid:uid>/start", judging_api.start, name="api_triage_start"),
    path("api/v1/triage/<uuid:uid>/next", judging_api.next_showings, name="api_triage_next"),
    path("api/v1/triage/<uuid:uid>/answers", judging_api.answer, name="api_triage_answers"),
    path("api/v1/triage/<uuid:uid>/back", judging_api.back, name="api_triage_back"),
    path("api/v1/showings/<uuid:uid>/frames/<int:number>", judging_api.frame, name="api_showing_frame"),
    path("api/v1/runs/<uuid:uid>", api.run, name="api_run"),
    path("api/v1/runs/<uuid:uid>/cancel", api.cancel_run, name="api_run_cancel"),
    path("api/v1/campaigns/<uuid:uid>/runs", api.start_run, name="api_runs"),
    path("api/v1/model-versions/<uuid:uid>/promote", api.promote, name="api_promote"),
]
