"""The WSGI application, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tinyforge.settings")
# its threads are many, and PostgreSQL lets a hundred connections in
os.environ["DATABASE_POOL"] = os.environ.get("DATABASE_POOL", "").strip() or "24"

application = get_wsgi_application()
