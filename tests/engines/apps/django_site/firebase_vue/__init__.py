"""The app of Django whose model is the specification's."""
