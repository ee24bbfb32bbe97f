"""What is logged, and in which form."""

import json
import logging
import logging.config

from tinyforge.logs import logging_of


def said(form: str) -> str:
    """Return how a message is written in a form."""
    config = logging.config.DictConfigurator(logging_of(form, "INFO"))
    formatter = config.configure_formatter(config.config["formatters"][form.lower()])
    record = logging.LogRecord("web.audit", logging.WARNING, "", 0, "a login as %a failed", ("ann\n",), None)
    record.action = "login_failed"
    written: str = formatter.format(record)
    return written


def test_a_message_is_an_object_with_its_parts_if_that_is_wanted() -> None:
    parts = json.loads(said("JSON"))
    assert parts.pop("at")
    assert parts == {
        "level": "WARNING",
        "logger": "web.audit",
        "message": r"a login as 'ann\n' failed",
        "action": "login_failed",
    }


def test_a_message_is_a_line_by_default() -> None:
    assert said("LINE").endswith(r" WARNING web.audit: a login as 'ann\n' failed")
