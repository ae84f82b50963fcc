"""Calls of other servers: HTTP, XML-RPC, JSON-RPC, gRPC, and handing requests on to them."""
