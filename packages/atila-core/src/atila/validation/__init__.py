"""`@app.inspect` and typed parameters."""
