"""What Django's debug page hides besides names such as PASSWORD: URLs, for they may hold one."""

import re

from django.views.debug import SafeExceptionReporterFilter


class UrlHidingFilter(SafeExceptionReporterFilter):
    """Hides settings and variables of the environment that are called after a URL."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|URL", re.IGNORECASE)
