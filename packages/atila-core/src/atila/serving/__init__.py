"""The way of a request: from an exchange to its answer."""
