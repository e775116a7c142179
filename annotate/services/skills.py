"""How often people's marks are confirmed by those who looked at the same tile: counts, from scratch."""

from collections.abc import Collection

from django.db.models import Count, QuerySet

from annotate.models import Catalogue, Feature, Skill, Visit


def recount(consensus: Catalogue, participant_pks: Collection[int]) -> None:
    """Count anew what these people found, missed and marked alone in a campaign's settled tiles."""
    settled = Feature.objects.filter(catalogue=consensus)
    confirmed = settled.filter(status=Feature.Status.CONFIRMED)
    found = _marked_by(confirmed, participant_pks)
    alone = _marked_by(settled.exclude(status=Feature.Status.CONFIRMED), participant_pks)
    there = dict(
        confirmed.filter(
            tile__visits__participant__in=participant_pks, tile__visits__state=Visit.State.SUBMITTED
        )
        .values_list("tile__visits__participant")
        .annotate(n=Count("pk"))
    )
    for person in sorted(participant_pks):
        Skill.objects.update_or_create(
            participant_id=person,
            campaign_id=consensus.campaign_id,
            defaults={
                "n_found": found.get(person, 0),
                "n_missed": there.get(person, 0) - found.get(person, 0),
                "n_alone": alone.get(person, 0),
            },
        )


def _marked_by(features: QuerySet[Feature], participant_pks: Collection[int]) -> dict[int, int]:
    """{participant: number of these features on which a mark of theirs lies}."""
    return dict(
        features.filter(marks__visit__participant__in=participant_pks)
        .values_list("marks__visit__participant")
        .annotate(n=Count("pk", distinct=True))
    )
