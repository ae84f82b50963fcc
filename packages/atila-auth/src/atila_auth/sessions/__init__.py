"""What a client keeps for us: sessions and the message box."""
