"""What people say of findings."""

import sqlalchemy as sa
from alembic import op

from invbi_pipeline.store.state_tables import Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "finding_sayings",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("finding_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("at", Utc, nullable=False),
    )
    op.create_index("finding_sayings_finding", "finding_sayings", ["finding_id"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("finding_sayings")
