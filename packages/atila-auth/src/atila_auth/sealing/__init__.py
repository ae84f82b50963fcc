"""Values that only the app can read and write: keys, sealed cookies, revocations."""
