"""whose first answer is due when"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "watches",
        sa.Column("conversation", number, autoincrement=False, nullable=False),
        sa.Column("delivery", number, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("due", sa.Text(), nullable=False),
        sa.Column("target", sa.Double(), nullable=False),
        sa.Column("breach", sa.Double(), nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("note", number, nullable=True),
        sa.Column("note_after", sa.Integer(), server_default="0", nullable=False),
        sa.Column("later", sa.Text(), nullable=True),
        sa.Column("later_delivery", number, nullable=True),
        sa.Column("later_since", sa.Double(), nullable=True),
        sa.Column("begun_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"]),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("conversation"),
    )
    _index("watches_due", ["next_at"], "next_at IS NOT NULL")
    _index("watches_open", ["breach", "target"], "ended_at IS NULL")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, "watches", columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
