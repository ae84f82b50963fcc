"""Handlers as methods of gRPC services."""
