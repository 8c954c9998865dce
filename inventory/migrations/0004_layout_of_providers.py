"""Number each change of a pool's layout, by triggers, so that no way of writing is forgotten."""

from typing import ClassVar

from django.contrib.postgres.indexes import GistIndex
from django.db import migrations, models

NUMBERED = """
CREATE SEQUENCE inventory_layout;

-- A provider's own row: a claim changes its generation only, and that is no change of layout.
CREATE FUNCTION inventory_number_layout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.layout < 0
        OR (NEW.pool_id, NEW.name, NEW.parent_id, NEW.root_id, NEW.is_sharing, NEW.state)
        IS DISTINCT FROM
        (OLD.pool_id, OLD.name, OLD.parent_id, OLD.root_id, OLD.is_sharing, OLD.state)
    THEN
        NEW.layout := nextval('inventory_layout');
    ELSE
        NEW.layout := OLD.layout;  -- a writer's old picture of it never comes back
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER number_layout BEFORE INSERT OR UPDATE ON inventory_resourceprovider
    FOR EACH ROW EXECUTE FUNCTION inventory_number_layout();

-- What a provider has: its inventories and its properties. A negative layout asks for a new number.
CREATE FUNCTION inventory_inventories_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE inventory_resourceprovider SET layout = -1
    WHERE id IN (SELECT provider_id FROM changed);
    RETURN NULL;
END $$;
CREATE FUNCTION inventory_traits_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE inventory_resourceprovider SET layout = -1
    WHERE id IN (SELECT resourceprovider_id FROM changed);
    RETURN NULL;
END $$;
"""
WATCHED = {
    "inventory_inventory": ("inventory_inventories_changed", ("INSERT", "UPDATE", "DELETE")),
    "inventory_resourceprovider_traits": ("inventory_traits_changed", ("INSERT", "DELETE")),
}


def watch(table: str, function: str, event: str) -> str:
    """Return the statement trigger that notes the rows that one kind of statement changed."""
    rows = "OLD" if event == "DELETE" else "NEW"
    return (
        f"CREATE TRIGGER layout_after_{event.lower()} AFTER {event} ON {table} "
        f"REFERENCING {rows} TABLE AS changed "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}();"
    )


class Migration(migrations.Migration):
    dependencies: ClassVar = [("inventory", "0003_former_kinds")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="resourceprovider",
            name="layout",
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.RunSQL(
            sql=NUMBERED
            + "\n".join(
                watch(table, function, event)
                for table, (function, events) in WATCHED.items()
                for event in events
            )
            + "\nUPDATE inventory_resourceprovider SET layout = -1;",
            reverse_sql="""
                DROP FUNCTION inventory_number_layout, inventory_inventories_changed,
                    inventory_traits_changed CASCADE;
                DROP SEQUENCE inventory_layout;
            """,
        ),
        migrations.AddIndex(
            model_name="capacityspan",
            index=GistIndex(
                fields=["during"],
                condition=models.Q(used__gt=0),
                name="span_in_use_idx",
            ),
        ),
    ]
