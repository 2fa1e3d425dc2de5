"""What Alembic runs: the migrations on the connection that `store.state` hands over."""

from alembic import context

from invbi_pipeline.store.state_tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
