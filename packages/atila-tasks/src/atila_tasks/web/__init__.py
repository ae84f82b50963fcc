"""Calls of other servers: HTTP, XML-RPC, JSON-RPC, gRPC, and forwarded requests."""
