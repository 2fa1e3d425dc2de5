"""Rate budgets that processes share, and how often a correction was tried."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "budgets",
        sa.Column("system", sa.String(200), primary_key=True),
        sa.Column("operation", sa.String(200), primary_key=True),
        sa.Column("reserved_until", sa.BigInteger, nullable=False),
        sa.Column("learnt", sa.Text, nullable=False),
    )
    op.add_column("outbox", sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("outbox", "attempts")
    op.drop_table("budgets")
