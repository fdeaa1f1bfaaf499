"""The journal's migrations; Alembic reads this folder as its script location."""
