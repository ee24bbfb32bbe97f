"""What Django's debug page hides in addition to names such as PASSWORD: URLs, because they may hold a password."""

import re

from django.views.debug import SafeExceptionReporterFilter


class UrlHidingFilter(SafeExceptionReporterFilter):
    """Hides settings and environment variables whose names say that they are URLs."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|URL", re.IGNORECASE)
