"""The OpenAPI document of an app, and the page to try it."""
