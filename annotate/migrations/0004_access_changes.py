"""Who may do what, as it changed; and a count by which all of somebody's sessions end at once."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Rows are added and never altered or deleted; only the people in them may be forgotten, and a campaign that is gone.
APPEND_ONLY = """
CREATE FUNCTION annotate_accesschange_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND (NEW.id, NEW.kind, NEW.campaign_name, NEW.before, NEW.after, NEW.at)
            IS NOT DISTINCT FROM (OLD.id, OLD.kind, OLD.campaign_name, OLD.before, OLD.after, OLD.at)
        AND (NEW.user_id IS NULL OR NEW.user_id IS NOT DISTINCT FROM OLD.user_id)
        AND (NEW.by_id IS NULL OR NEW.by_id IS NOT DISTINCT FROM OLD.by_id)
        AND (NEW.campaign_id IS NULL OR NEW.campaign_id IS NOT DISTINCT FROM OLD.campaign_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The trail of changed rights only grows: % is refused.', TG_OP;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_accesschange
    FOR EACH ROW EXECUTE FUNCTION annotate_accesschange_append_only();
"""
FREE = """
DROP TRIGGER append_only ON annotate_accesschange;
DROP FUNCTION annotate_accesschange_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0003_visit_ending"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="sessions_ended",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.CreateModel(
            name="AccessChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("roles", "roles in a campaign"),
                            ("staff", "may use the administration"),
                            ("superuser", "may do everything"),
                            ("active", "may sign in"),
                            ("password", "password set by the administration"),
                        ],
                        max_length=16,
                    ),
                ),
                ("campaign_name", models.CharField(blank=True, max_length=200)),
                ("before", models.CharField(blank=True, max_length=200)),
                ("after", models.CharField(blank=True, max_length=200)),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="access_changes_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="access_changes",
                        to="annotate.campaign",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="access_changes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
        migrations.RunSQL(APPEND_ONLY, FREE),
    ]
