"""Values that only we can read and write: keys, sealed cookies, revocations."""
