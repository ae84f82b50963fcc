"""The servers that an app runs on: a module for each, which makes an `Exchange` of a request."""
