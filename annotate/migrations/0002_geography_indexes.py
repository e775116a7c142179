"""Indexes for distances in metres; see annotate/body_sphere.py."""

from django.db import migrations

from annotate.body_sphere import geography_index


class Migration(migrations.Migration):
    dependencies = [("annotate", "0001_initial")]

    operations = [
        migrations.RunSQL(*geography_index("annotate_feature")),
        migrations.RunSQL(*geography_index("annotate_mark")),
    ]
