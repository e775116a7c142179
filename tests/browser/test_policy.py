"""The administration and the API's page work in a browser that obeys the policy: nothing is blocked."""

from collections.abc import Callable

from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Campaign, User
from annotate.services import members
from tests.annotate.builders import make_campaign

OpenPage = Callable[..., Page]


def test_the_administration_works_under_the_policy(
    open_page: OpenPage, staff: User, stranger: User, lead: User, transactional_db: None
) -> None:
    campaign: Campaign = make_campaign(lead=lead)
    page = open_page(staff, reverse("admin:index"))
    for name in ("annotate_user", "annotate_campaign", "annotate_accesschange", "review_run"):
        page.goto(reverse(f"admin:{name}_changelist"))
        expect(page.locator("#content h1")).to_be_visible()
    page.goto(reverse("admin:annotate_campaign_change", args=[campaign.pk]))
    page.get_by_text("Add another Membership").click()
    page.locator("tr.dynamic-memberships:not(.has_original) .select2-selection").click()
    page.locator(".select2-search__field").fill("stran")
    page.get_by_role("option", name="stranger").click()
    page.locator("tr.dynamic-memberships:not(.has_original) select[name$=-role]").select_option("reader")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was changed successfully")
    [change] = members.changes_in(campaign)
    assert (change.user, change.after, change.by) == (stranger, "reader", staff)


def test_the_page_of_the_api_works(open_page: OpenPage, transactional_db: None) -> None:
    page = open_page(None, reverse("api"))
    page.get_by_text("/api/v1/visits/{uid}/marks").click()
    page.get_by_role("link", name="MarkOut").first.click()
    expect(page.locator("#MarkOut")).to_be_in_viewport()
