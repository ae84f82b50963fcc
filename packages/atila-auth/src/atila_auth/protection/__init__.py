"""What protects an app from other pages and from floods: CORS, CSRF, rate limits."""
