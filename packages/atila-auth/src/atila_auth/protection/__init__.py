"""Protects an app from other sites' pages and from floods: CORS, CSRF, rate limits."""
