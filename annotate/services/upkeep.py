"""Basemaps and catalogues renamed, and deleted where nothing rests on them."""

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from annotate.models import Basemap, Campaign, Catalogue, Feature, User
from annotate.services.locks import exclusive
from annotate.services.names import clean_name
from annotate.services.storage import file_of
from mlcore.errors import Conflict

DELETABLE = (Catalogue.Origin.IMPORTED, Catalogue.Origin.PREDICTED)
# What is collected at once while the features of a catalogue go.
_BATCH = 5_000


@transaction.atomic
def rename_basemap(basemap: Basemap, name: str) -> Basemap:
    """Give a basemap, and the layers derived from it, another name.

    Raises:
        InvalidInput: It is no name in one line.
        Conflict: It is being converted, or derived from another, whose name it bears.
    """
    _refuse_derived(basemap)
    before, name = basemap.name, clean_name(name)
    with exclusive(f"basemap {basemap.pk}") as is_mine:
        _refuse_converting(basemap, is_mine)
        basemap.name = name
        basemap.save(update_fields=["name"])
        for layer in basemap.derived.all():
            tail = layer.name.removeprefix(before[:170])
            layer.name = f"{name[:170]}{tail}"[:200]
            layer.save(update_fields=["name"])
    return basemap


def delete_basemap(basemap: Basemap, *, asked_by: User) -> None:
    """Delete a basemap, what was derived from it, and their files.

    Raises:
        Conflict: Campaigns or runs use it, it is being converted, or it is derived from another.
    """
    _refuse_derived(basemap)
    with exclusive(f"basemap {basemap.pk}") as is_mine:
        _refuse_converting(basemap, is_mine)
        try:
            _delete_family(basemap, asked_by)
        except (ProtectedError, IntegrityError):
            # A campaign or a run took it up in this very moment, or a run of a campaign that is gone.
            raise Conflict(
                _("“%(name)s” is in use by a run or a campaign and cannot be deleted.")
                % {"name": basemap.name},
                code="in_use",
            ) from None


@transaction.atomic
def _delete_family(basemap: Basemap, asked_by: User) -> None:
    family = [basemap, *basemap.derived.all()]
    users = Campaign.objects.filter(basemaps__in=family).distinct()
    _refuse_used(basemap.name, users, asked_by, _("its tiles and marks lie on it"))
    folders = [file_of(f"basemaps/{one.uid}") for one in family]
    basemap.delete()
    transaction.on_commit(partial(_remove, folders))


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_derived(basemap: Basemap) -> None:
    if basemap.derived_from is not None:
        raise Conflict(
            _("“%(name)s” was derived from “%(source)s” and goes with it: change that one.")
            % {"name": basemap.name, "source": basemap.derived_from.name},
            code="derived",
        )


def _refuse_converting(basemap: Basemap, is_mine: bool) -> None:
    if not is_mine:
        raise Conflict(
            _("“%(name)s” is being converted right now; wait until that has ended.") % {"name": basemap.name},
            code="converting",
        )


def _refuse_used(name: str, campaigns: Iterable[Campaign], asked_by: User, why: str) -> None:
    """Name the campaigns that the asker may see, and count the others."""
    users = list(campaigns)
    if not users:
        return
    seen = set(Campaign.objects.visible_to(asked_by).values_list("pk", flat=True))
    names = [f"“{campaign.name}”" for campaign in users if campaign.pk in seen]
    if hidden := len(users) - len(names):
        names.append(_("%(n)d not open to you") % {"n": hidden})
    raise Conflict(
        _("“%(name)s” is in use and cannot be deleted: %(why)s. Campaigns: %(campaigns)s.")
        % {"name": name, "why": why, "campaigns": get_text_list(names, _("and"))},
        code="in_use",
    )


@transaction.atomic
def rename_catalogue(catalogue: Catalogue, name: str) -> Catalogue:
    """Give a catalogue, with all its versions, another name.

    Raises:
        InvalidInput: It is no name in one line.
        Conflict: Another catalogue of the body has the name, or its versions belong to several campaigns.
    """
    name = clean_name(name)
    if name == catalogue.name:
        return catalogue
    series = Catalogue.objects.filter(body=catalogue.body, name=catalogue.name)
    if Catalogue.objects.filter(body=catalogue.body, name=name).exists():
        raise Conflict(
            _("There is a catalogue “%(name)s” already; choose another name.") % {"name": name},
            code="name_taken",
        )
    if series.exclude(campaign=catalogue.campaign_id, created_by=catalogue.created_by_id).exists():
        raise Conflict(
            _("Versions of “%(name)s” belong to others, who know it by this name; it keeps it.")
            % {"name": catalogue.name},
            code="shared_name",
        )
    series.update(name=name)
    catalogue.name = name
    return catalogue


def delete_catalogue(catalogue: Catalogue, *, asked_by: User) -> None:
    """Delete an imported or predicted catalogue with its features.

    Raises:
        Conflict: It is made of people's marks or verdicts, shown as a campaign's proposals, or judged.
    """
    if catalogue.origin not in DELETABLE:
        raise Conflict(
            _("“%(name)s” is made of people's marks and verdicts and stays as long as they do.")
            % {"name": catalogue.name},
            code="made_by_people",
        )
    users = Campaign.objects.filter(proposals=catalogue)
    _refuse_used(catalogue.name, users, asked_by, _("people judge its proposals"))
    try:
        _delete_with_features(catalogue)
    except ProtectedError:
        raise Conflict(
            _("People have judged proposals of “%(name)s”; their answers rest on it, so it stays.")
            % {"name": catalogue.name},
            code="in_use",
        ) from None


@transaction.atomic
def _delete_with_features(catalogue: Catalogue) -> None:
    features = Feature.objects.filter(catalogue=catalogue).order_by("pk")
    # A published list has a million craters: all of them at once would not fit into memory.
    while batch := list(features.values_list("pk", flat=True)[:_BATCH]):
        Feature.objects.filter(pk__in=batch).delete()
    catalogue.delete()
