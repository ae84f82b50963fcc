"""Atila beside its peers: requests per second, memory and route lookup, in one run."""
