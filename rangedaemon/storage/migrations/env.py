"""What Alembic runs for each command: the connection comes from the caller, ready made."""

from alembic import context

from rangedaemon.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
