"""State of one client, kept in its cookies: sessions and the message box."""
