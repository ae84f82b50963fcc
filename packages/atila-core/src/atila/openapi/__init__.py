"""What an app answers as an OpenAPI document, and the page to try it."""
