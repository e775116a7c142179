"""The site's admin: people, campaigns, basemaps and catalogues.

What it changes in roles and rights goes through the services that keep the trail of such changes.

Marks, visits and skills are not shown: staff who draw would see what others drew. Geometry has no
place in its forms, because Django's map widgets know only the Earth.
"""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.forms import BaseFormSet, ModelForm
from django.http import HttpRequest, HttpResponse

from annotate.models import AccessChange, Basemap, Campaign, CampaignBasemap, Catalogue, Membership, User
from annotate.services import members, rights


@admin.register(User)
class PeopleAdmin(UserAdmin):
    """Django's, on the trail."""

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        before = rights.rights_of(obj)
        super().save_model(request, obj, form, change)
        rights.remember_rights(user=obj, before=before, by=request.user)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        before = self._password_of(id)
        response = super().user_change_password(request, id, form_url)
        if self._password_of(id) != before:
            rights.remember_password(user=User.objects.get(pk=id), by=request.user)
        return response

    def _password_of(self, pk: str) -> str | None:
        return (
            User.objects.filter(pk=pk).values_list("password", flat=True).first() if pk.isdecimal() else None
        )


class MembershipInline(admin.TabularInline):
    """Roles are given and taken here, not turned into others: the trail says one thing at a time."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user"]

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return False


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

    def save_formset(self, request: HttpRequest, form: ModelForm, formset: BaseFormSet, change: bool) -> None:
        if formset.model is not Membership:
            super().save_formset(request, form, formset, change)
            return
        given = formset.save(commit=False)
        for membership in given:
            members.give_role(
                campaign=form.instance, user=membership.user, role=membership.role, by=request.user
            )
        for membership in formset.deleted_objects:
            members.remove_member(
                campaign=form.instance, user=membership.user, role=membership.role, by=request.user
            )


@admin.register(AccessChange)
class AccessChangeAdmin(MadeElsewhere):
    """The trail: read, never written."""

    list_display = ["at", "by", "kind", "user", "before", "after", "campaign_name"]
    list_filter = ["kind"]
    search_fields = ["user__username", "by__username", "campaign_name"]
    list_select_related = ["user", "by"]

    def has_change_permission(self, request: HttpRequest, obj: AccessChange | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccessChange | None = None) -> bool:
        return False


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
