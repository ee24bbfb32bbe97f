"""What is logged, and in which form."""

import sys
from typing import Any


def logging_of(form: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING for the form LINE or JSON. INFO and DEBUG are for our own loggers alone."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
                "rename_fields": {"asctime": "at", "levelname": "level", "name": "logger"},
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": form.lower()}},
        "root": {"handlers": ["console"], "level": "WARNING" if level in ("INFO", "DEBUG") else level},
        "loggers": {
            **{name: {"level": level} for name in ("reconciler", "tinyforge", "web", "celery", "django")},
            # Celery's two lines for each task say nothing that a pass does not say itself
            **{name: {"level": "WARNING"} for name in ("celery.app.trace", "celery.worker.strategy")},
            # web/audit.py says who failed to log in
            "axes": {"level": "CRITICAL"},
        },
    }
