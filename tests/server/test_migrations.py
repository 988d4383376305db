"""The migrations make the tables that the code expects, on both databases."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from crmtray_server.store import migrate
from crmtray_server.store.database import make_engine
from crmtray_server.store.tables import metadata


def test_the_newest_schema_is_the_one_in_the_code(store_url: str) -> None:
    engine = make_engine(store_url)
    assert not migrate.is_current(engine)
    migrate.upgrade(engine)
    migrate.upgrade(engine)
    assert migrate.is_current(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
