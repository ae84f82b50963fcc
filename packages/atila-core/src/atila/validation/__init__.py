"""Checks and converts parameters: `@app.inspect` and annotations."""
