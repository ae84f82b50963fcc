"""Values as pages: Jinja templates, their folders and their bytecode."""
