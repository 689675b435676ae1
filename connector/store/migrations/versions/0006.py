"""the ledger is counted from indices alone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("deliveries_state", table_name="deliveries")
    op.create_index(
        "deliveries_state", "deliveries", ["state", "source", "kind"], unique=False, postgresql_include=["id"]
    )
    opens = sa.text("op = 'ticket'")
    op.create_index("parts_opened", "parts", ["delivery"], unique=False, sqlite_where=opens, postgresql_where=opens)
