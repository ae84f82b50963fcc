"""An issue tracker: models, tables, and handlers that take and give them."""
