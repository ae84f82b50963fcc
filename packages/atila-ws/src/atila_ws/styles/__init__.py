"""The three ways to talk: CHATTY, COROUTINE, REPORTY."""
