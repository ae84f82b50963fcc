"""The three styles of conversation: CHATTY, COROUTINE, REPORTY."""
