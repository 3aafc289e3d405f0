"""Run by Alembic, on the connection that services/gateway/state/schema.py gives."""

from alembic import context

from services.gateway.state.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
