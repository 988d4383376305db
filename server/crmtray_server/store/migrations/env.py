"""Alembic's entry: runs migrations on the connection that `migrate.upgrade` gives, in its transaction if it has one."""

from alembic import context

from crmtray_server.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
