"""The setting by which the rules of alerts are changed."""

from datetime import timedelta

from alerts.core.rules import BadRule, Rules, rules
from tinyforge.env import Env, wrong


def alert_rules(env: Env, interval_seconds: float) -> Rules:
    """Return the rules in force."""
    try:
        return rules(env.words("ALERT_RULES"), timedelta(seconds=interval_seconds))
    except BadRule as error:
        allowed = "rules such as orphan=off or missing=120/60/notify: a condition, and off or seconds and a severity"
        raise wrong("ALERT_RULES", str(error), allowed) from None
