"""Which sku people said a listing is."""

import sqlalchemy as sa
from alembic import op

from invbi_pipeline.store.state_tables import Utc

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "mapping_decisions",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("system", sa.String(200), nullable=False),
        sa.Column("listing_key", sa.String(300), nullable=False),
        sa.Column("sku", sa.String(300), nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("decided_at", Utc, nullable=False),
    )
    op.create_index("mapping_decisions_listing", "mapping_decisions", ["system", "listing_key"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("mapping_decisions")
