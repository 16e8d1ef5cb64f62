"""The records of a store as tidy tables: columns, SQL, export."""
