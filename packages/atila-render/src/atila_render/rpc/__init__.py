"""Handlers as procedures that others call: XML-RPC and JSON-RPC."""
