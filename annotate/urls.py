"""Everything that can be asked of annotate; who may ask is in annotate/access.py."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import IntConverter

from annotate.views import (
    account,
    api,
    basemaps,
    campaigns,
    catalogues,
    downloads,
    holders,
    imports,
    map_tiles,
    upkeep,
)

app_name = "annotate"


class ColumnConverter(IntConverter):
    """A column of map tiles: on a map of a whole body they go on to the west of its edge."""

    regex = "-?[0-9]{1,9}"


register_converter(ColumnConverter, "column")

pages: list[URLPattern] = [
    path("accounts/everywhere/logout/", account.sign_out_everywhere, name="sign_out_everywhere"),
    path("campaigns/", campaigns.campaign_list, name="campaign_list"),
    path("campaigns/new/", campaigns.campaign_new, name="campaign_new"),
    path("campaigns/new/foils/", campaigns.campaign_new_foils, name="campaign_new_foils"),
    path("campaigns/new/tiles/", campaigns.campaign_new_tiles, name="campaign_new_tiles"),
    path("campaigns/<uuid:uid>/", campaigns.campaign, name="campaign"),
    path("campaigns/<uuid:uid>/settings/", campaigns.campaign_settings, name="campaign_settings"),
    path("campaigns/<uuid:uid>/members/", campaigns.campaign_members, name="campaign_members"),
    path("campaigns/<uuid:uid>/tiles/", holders.campaign_tiles, name="campaign_tiles"),
    path("campaigns/<uuid:uid>/join/", campaigns.campaign_join, name="campaign_join"),
    path("campaigns/<uuid:uid>/label/", campaigns.label, name="label"),
    path("basemaps/", basemaps.basemap_list, name="basemap_list"),
    path("basemaps/new/", basemaps.basemap_new, name="basemap_new"),
    path("basemaps/<uuid:uid>/", basemaps.basemap, name="basemap"),
    path("basemaps/<uuid:uid>/status/", basemaps.basemap_status, name="basemap_status"),
    path("basemaps/<uuid:uid>/retry/", basemaps.basemap_retry, name="basemap_retry"),
    path("basemaps/<uuid:uid>/rename/", upkeep.basemap_rename, name="basemap_rename"),
    path("basemaps/<uuid:uid>/delete/", upkeep.basemap_delete, name="basemap_delete"),
    path("basemaps/<uuid:uid>/tiles/<int:z>/<int:x>/<int:y>", map_tiles.basemap_tile, name="basemap_tile"),
    path("catalogues/", catalogues.catalogue_list, name="catalogue_list"),
    path("catalogues/import/", imports.catalogue_import, name="catalogue_import"),
    path("imports/<uuid:uid>/", imports.import_preview, name="import_preview"),
    path("imports/<uuid:uid>/status/", imports.import_status, name="import_status"),
    path("imports/<uuid:uid>/again/", imports.import_again, name="import_again"),
    path("imports/<uuid:uid>/confirm/", imports.import_confirm, name="import_confirm"),
    path("imports/<uuid:uid>/discard/", imports.import_discard, name="import_discard"),
    path("imports/<uuid:uid>/rejected.csv", imports.import_rejected, name="import_rejected"),
    path("catalogues/<uuid:uid>/", catalogues.catalogue, name="catalogue"),
    path("catalogues/<uuid:uid>/rename/", upkeep.catalogue_rename, name="catalogue_rename"),
    path("catalogues/<uuid:uid>/delete/", upkeep.catalogue_delete, name="catalogue_delete"),
]
downloads_and_tiles: list[URLPattern] = [
    path("catalogues/<uuid:uid>.csv", downloads.catalogue_csv, name="catalogue_csv"),
    path("catalogues/<uuid:uid>.geojson", downloads.catalogue_geojson, name="catalogue_geojson"),
    path(
        "map-tiles/<uuid:basemap_uid>/<uuid:campaign_uid>/<int:z>/<column:x>/<int:y>",
        map_tiles.map_tile,
        name="map_tile",
    ),
]
api_v1: list[URLPattern] = [
    path("api/v1/campaigns/<uuid:uid>/tiles/next", api.tile_next, name="api_tile_next"),
    path("api/v1/campaigns/<uuid:uid>/view", api.view, name="api_view"),
    path("api/v1/campaigns/<uuid:uid>/features", api.features, name="api_features"),
    path("api/v1/visits/<uuid:uid>", api.visit, name="api_visit"),
    path("api/v1/visits/<uuid:uid>/submit", api.visit_submit, name="api_visit_submit"),
    path("api/v1/visits/<uuid:uid>/reopen", api.visit_reopen, name="api_visit_reopen"),
    path("api/v1/visits/<uuid:uid>/return", api.visit_return, name="api_visit_return"),
    path("api/v1/visits/<uuid:uid>/extend", api.visit_extend, name="api_visit_extend"),
    path("api/v1/visits/<uuid:uid>/marks", api.visit_marks, name="api_marks"),
    path("api/v1/marks/<uuid:uid>", api.mark, name="api_mark"),
    path("api/v1/marks/<uuid:uid>/restore", api.mark_restore, name="api_mark_restore"),
    path("api/v1/catalogues/<uuid:uid>/features", api.catalogue_features, name="api_catalogue_features"),
    path("api/v1/basemaps/<uuid:uid>", api.basemap, name="api_basemap"),
    path("api/v1/basemaps/<uuid:uid>/value", api.basemap_value, name="api_basemap_value"),
]
urlpatterns: list[URLPattern] = [*pages, *downloads_and_tiles, *api_v1]
