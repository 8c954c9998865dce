"""Let the list of usage be read in its order: the latest first, whatever the projects."""

from django.db import migrations


class Migration(migrations.Migration):
    """The table is Django's only to read: what it has is said in SQL."""

    dependencies = [("billing", "0006_freeze_by_statement")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX usage_record_start_idx ON billing_usagerecord (usage_start, id)",
            "DROP INDEX usage_record_start_idx",
        ),
    ]
