"""django-bolt: Django's settings, as far as it needs any, and an API beside them."""
