"""The first tables: cursors, inbox, outbox, approvals, finding lives, breakers, pauses, meta."""

import sqlalchemy as sa
from alembic import op

from invbi_pipeline.store.state_tables import Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cursors",
        sa.Column("system", sa.String(200), primary_key=True),
        sa.Column("dataset", sa.String(40), primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("batch_id", sa.String(300), nullable=False),
        sa.Column("moved_at", Utc, nullable=False),
        sa.Column("full_at", Utc),
    )
    op.create_table(
        "inbox",
        sa.Column("system", sa.String(200), primary_key=True),
        sa.Column("delivery_id", sa.String(300), primary_key=True),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("received_at", Utc, nullable=False),
        sa.Column("done_at", Utc),
    )
    op.create_index("inbox_waiting", "inbox", ["done_at", "received_at"])
    op.create_table(
        "outbox",
        sa.Column("correction_id", sa.String(200), primary_key=True),
        sa.Column("idempotency_key", sa.String(300), nullable=False, unique=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("system", sa.String(200), nullable=False),
        sa.Column("listing_key", sa.String(300), nullable=False),
        sa.Column("location", sa.String(200), nullable=False),
        sa.Column("movement_ref", sa.String(600), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("planned_at", Utc, nullable=False),
        sa.Column("moved_at", Utc, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("outbox_state", "outbox", ["state"])
    op.create_index("outbox_run", "outbox", ["run_id"])
    op.create_index("outbox_point", "outbox", ["system", "listing_key", "location"])
    op.create_table(
        "approvals",
        sa.Column("correction_id", sa.String(200), primary_key=True),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "finding_lives",
        sa.Column("finding_id", sa.String(200), primary_key=True),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("last_seen", Utc),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("finding_lives_state", "finding_lives", ["state"])
    op.create_table(
        "breakers",
        sa.Column("system", sa.String(200), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("blind_since", Utc, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "pauses",
        sa.Column("scope", sa.String(200), primary_key=True),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("by_machine", sa.Boolean, nullable=False),
    )
    op.create_table("meta", sa.Column("key", sa.String(300), primary_key=True), sa.Column("value", sa.Text, nullable=False))


def downgrade() -> None:
    """Take them away."""
    for table in ("meta", "pauses", "breakers", "finding_lives", "approvals", "outbox", "inbox", "cursors"):
        op.drop_table(table)
