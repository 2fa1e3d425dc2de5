"""The stores: the warehouse (DuckDB), the state (SQLAlchemy), the walls in front of them and the SQL models inside."""
