"""Handlers as remote procedures: XML-RPC and JSON-RPC."""
