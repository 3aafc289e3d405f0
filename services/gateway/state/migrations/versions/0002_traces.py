"""The trace that a job and its webhook calls belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("jobs", "webhook_deliveries"):
        # With a default: gateways of the version before still add rows.
        op.add_column(table, sa.Column("traceparent", sa.String(length=55), server_default="", nullable=False))


def downgrade() -> None:
    for table in ("webhook_deliveries", "jobs"):
        op.drop_column(table, "traceparent")
