"""Migrations, made by `python manage.py makemigrations`."""
