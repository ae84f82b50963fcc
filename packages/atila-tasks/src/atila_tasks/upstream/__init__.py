"""Names of other servers, how they are reached, and which member is asked."""
