"""The site's admin: people, campaigns, basemaps and catalogues.

Marks, visits and skills are not shown: staff who draw would see what others drew. Geometry has no
place in its forms, because Django's map widgets know only the Earth.
"""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from annotate.models import Basemap, Campaign, CampaignBasemap, Catalogue, Membership, User

admin.site.register(User, UserAdmin)


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


class LayerInline(admin.TabularInline):
    model = CampaignBasemap
    extra = 0
    readonly_fields = ["basemap", "position", "resampled"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return False


class MadeElsewhere(admin.ModelAdmin):
    """Rows that only the pages and commands make, because files or tiles belong to them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Campaign)
class CampaignAdmin(MadeElsewhere):
    list_display = ["name", "body", "visibility", "redundancy", "synthetic", "created_at"]
    list_filter = ["body", "visibility", "synthetic"]
    search_fields = ["name"]
    fields = ["uid", "name", "body", "visibility", "instructions", "synthetic", "created_by", "created_at"]
    readonly_fields = ["uid", "body", "synthetic", "created_by", "created_at"]
    inlines = [MembershipInline, LayerInline]


@admin.register(Basemap)
class BasemapAdmin(MadeElsewhere):
    list_display = ["name", "body", "kind", "state", "progress", "synthetic", "created_at"]
    list_filter = ["body", "kind", "state"]
    search_fields = ["name"]
    fields = [
        "uid",
        "name",
        "body",
        "kind",
        "state",
        "error",
        "derived_from",
        "added_by",
        "width_px",
        "height_px",
        "resolution_m_per_px",
        "sun_azimuth_deg",
        "sun_incidence_deg",
        "synthetic",
        "created_at",
    ]
    readonly_fields = [
        name for name in fields if name not in ("name", "sun_azimuth_deg", "sun_incidence_deg")
    ]


@admin.register(Catalogue)
class CatalogueAdmin(MadeElsewhere):
    list_display = ["name", "version", "origin", "body", "campaign", "synthetic", "created_at"]
    list_filter = ["origin", "body"]
    search_fields = ["name", "source"]
    fields = ["uid", "name", "version", "origin", "body", "campaign", "source", "synthetic", "created_by"]
    readonly_fields = [name for name in fields if name != "source"]
