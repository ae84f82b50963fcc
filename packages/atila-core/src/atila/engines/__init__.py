"""One module for each server interface; it turns the server's request into an `Exchange`."""
