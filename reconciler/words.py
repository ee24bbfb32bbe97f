"""States, conditions, troubles and moments, as people read them: the admin and the pages take their words from here."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from reconciler.levels import Level, level_of, level_of_condition, level_of_state
from reconciler.models import ChangeKind, Condition, DeploymentState, State, Transition, Trouble
from reconciler.models.trouble import ENDED_STATES, TROUBLE_WORDS

SIGNS = {
    State.RUNNING: "●",
    State.RESTARTING: "↻",
    State.PAUSED: "‖",
    State.CREATED: "○",
    State.REMOVING: "⌫",
    State.STOPPED: "■",
    State.FAILED: "✗",
    State.MISSING: "?",
    State.MOVED: "→",
    State.GONE: "∅",
    State.PENDING: "…",
}
OTHER_SIGN, UNKNOWN_SIGN, DONE_SIGN, UNHEALTHY_SIGN = "•", "◌", "✓", "!"
CONDITION_SIGNS = {
    Condition.OFF: "○",
    Condition.FAILING: "✗",
    Condition.HELD: "‖",
    Condition.STALE: "◌",
    Condition.NEW: "…",
    Condition.FRESH: "●",
}
TROUBLE_SENTENCES = {
    Trouble.UNKNOWN: "is not known, because its host cannot be asked",
    Trouble.LOOPING: "restarts in a loop",
    Trouble.MISSING: "is gone from its host",
    Trouble.FAILED: "failed, as its deployer says",
    Trouble.OOM: "was killed for want of memory",
    Trouble.ENDED: "has ended with an error",
    Trouble.RESTARTING: "is being restarted",
    Trouble.UNHEALTHY: "is unhealthy",
    Trouble.STUCK: "was created and has not started",
    Trouble.PAUSED: "is paused",
    Trouble.ORPHAN: "belongs to a workload that does not exist",
}
CONDITION_SENTENCES = {
    Condition.OFF: "is switched off",
    Condition.FAILING: "cannot be seen",
    Condition.HELD: "waits for a second look",
    Condition.STALE: "is not looked at",
    Condition.NEW: "has not been looked at yet",
    Condition.FRESH: "answers",
}
_TROUBLE_SIGNS = {
    Trouble.UNKNOWN: UNKNOWN_SIGN,
    Trouble.LOOPING: SIGNS[State.RESTARTING],
    Trouble.UNHEALTHY: UNHEALTHY_SIGN,
}
_EXITS = {
    125: "Docker could not start it",
    126: "its command cannot be run",
    127: "its command was not found",
    130: "interrupted",
    134: "aborted",
    137: "killed",
    139: "crashed",
    143: "told to stop",
}
_DURATIONS = ((2 * 86_400, 86_400, "days"), (3_600, 3_600, "h"), (60, 60, "min"), (0, 1, "s"))
"""From how many seconds on which unit is used, and how many seconds it has."""


def state_badge(state: str, exit_code: int | None = None, level: Level | None = None) -> SafeString:
    """Return a state as a sign, a word and a colour: that of its level, which may be given, and pale if it is well.

    A state may be worse than it is by itself: created, for example, if it has been that for long.
    """
    css = state_class(state, exit_code, level or level_of_state(state, exit_code))
    return format_html('<span class="state {}">{} {}</span>', css, sign(state), label(state))


def state_class(state: str, exit_code: int | None, level: Level) -> str:
    """Return the names under which style sheets know a state and how bad it is."""
    name = (state or "pending") if state in State.values else "other"
    if level is not Level.WELL:
        return f"state-{name} level-{level}"
    return f"state-{name}{' state-done' if is_done(state, exit_code) else ''}"


def trouble_badge(trouble: Trouble, text: str, title: str = "") -> SafeString:
    """Return a word in the colour of a trouble, to stand behind a state's badge."""
    return format_html(' <span class="state level-{}" title="{}">{}</span>', level_of(trouble), title, text)


def loop_badge(restarts: int) -> SafeString:
    """Return the badge of a container that restarts in a loop."""
    minutes = settings.RESTART_LOOP_SECONDS / 60
    title = f"{restarts} restarts within {minutes:g} minutes"
    return trouble_badge(Trouble.LOOPING, TROUBLE_WORDS[Trouble.LOOPING], title)


def health_badge(health: str) -> SafeString:
    """Return the badge of a health check that fails; empty if it does not."""
    if health != "unhealthy":
        return SafeString()
    return trouble_badge(Trouble.UNHEALTHY, f"{UNHEALTHY_SIGN} {health}", "its health check fails")


def sign(state: str) -> str:
    """Return the sign of a state, which tells it from others without colour."""
    return SIGNS[State(state)] if state in State.values else OTHER_SIGN


def trouble_sign(trouble: Trouble, state: str) -> str:
    """Return the sign of a row in trouble: of its state, unless that does not show the trouble."""
    return _TROUBLE_SIGNS.get(trouble) or sign(state)


def label(state: str) -> str:
    """Return the word for a state; a state that an Engine has made up is its own word."""
    return str(State(state).label) if state in State.values else state


def unknown_badge(state: str, since: datetime | None) -> SafeString:
    """Return the badge for a state that is not known, with the last known state beside it in quiet type."""
    title = f"known until {since.isoformat(timespec='seconds')}" if since else "its host has never answered"
    badge = format_html('<span class="state level-unknown" title="{}">{} unknown</span>', title, UNKNOWN_SIGN)
    return badge + format_html(' <span class="quiet">was {}</span>', label(state))


def end_badge(exit_code: int | None, oom_killed: bool | None) -> SafeString:
    """Return how a container ended: its exit code, and whether memory had run out."""
    code = "" if exit_code is None else format_html(' <span class="quiet">exit {}</span>', exit_code)
    oom = trouble_badge(Trouble.OOM, "OOM", "killed for want of memory") if oom_killed else ""
    return format_html("{}{}", code, oom)


def has_ended(state: str) -> bool:
    """Tell whether a container in this state has an end to tell of."""
    return state in ENDED_STATES


def is_done(state: str, exit_code: int | None) -> bool:
    """Tell whether this is a job that has ended without an error, which is no trouble."""
    return state == State.STOPPED and exit_code == 0


def look_words(asked_at: datetime | None, success_at: datetime | None, error_at: datetime | None) -> str:
    """Return what came of the last look at a host, from when it was asked, and when it answered and failed last."""
    if asked_at is None:
        return "nobody has looked yet"
    if success_at and success_at >= max(asked_at, error_at or success_at):
        return "it answered"
    return "it did not answer" if error_at and error_at >= asked_at else "under way"


def exit_words(exit_code: int) -> str:
    """Return an exit code with what it usually means."""
    meaning = _EXITS.get(exit_code)
    return f"exit {exit_code} ({meaning})" if meaning else f"exit {exit_code}"


def condition_badge(condition: Condition) -> SafeString:
    """Return how a host is doing as a sign, a word and a colour."""
    css = f"condition-{condition.value} level-{level_of_condition(condition)}"
    return format_html('<span class="state {}">{} {}</span>', css, CONDITION_SIGNS[condition], condition.value)


def deployment_badge(state: str) -> SafeString:
    """Return whether a deploy has begun or is over."""
    begins = state == DeploymentState.DEPLOYING
    css, shown_sign = ("state-pending", SIGNS[State.PENDING]) if begins else ("state-done", DONE_SIGN)
    return format_html('<span class="state {}">{} {}</span>', css, shown_sign, state)


def ago(moment: datetime | None) -> SafeString | str:
    """Return how long ago a moment was, with the moment itself as a tooltip."""
    return _time(moment, "ago", ago_text(moment)) if moment else "never"


def clock(moment: datetime | None) -> SafeString | str:
    """Return a moment, to compare with logs; a page's script shows it in the reader's own time zone."""
    return _time(moment, "clock", utc_text(moment)) if moment else "—"


def utc_text(moment: datetime) -> str:
    """Return a moment as text, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago_text(moment: datetime) -> str:
    """Return how far from now a moment is."""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 0:
        return f"in {-seconds:.0f} s"
    return f"{seconds:.0f} s ago" if seconds < 60 else f"{timesince(moment, depth=1)} ago"


def duration(length: timedelta) -> str:
    """Return how long something lasted, as people say it."""
    seconds = max(0, round(length.total_seconds()))
    _, size, unit = next(each for each in _DURATIONS if seconds >= each[0])
    return f"{seconds // size:,} {unit}"


def change(entry: Transition) -> SafeString:
    """Return what an entry of the feed tells: from what to what a row or a host has changed, and how it ended."""
    if entry.kind == ChangeKind.DEPLOYMENT:
        return deployment_badge(entry.to_state)
    if entry.kind == ChangeKind.HOST:
        return _arrow(_condition(entry.from_state), _condition(entry.to_state))
    before, after = entry.from_state, entry.to_state
    told = state_badge(after, entry.exit_code)
    if before != after:
        told = _arrow(state_badge(before), told)
    if entry.from_health != entry.to_health and entry.to_health:
        quiet = format_html(' <span class="quiet">{}</span>', entry.to_health)
        told += health_badge(entry.to_health) or quiet
    if entry.restarts:
        told += format_html(' <span class="quiet">restarted {}×</span>', entry.restarts)
    return told + end_badge(entry.exit_code, entry.oom_killed)


def _arrow(before: SafeString | str, after: SafeString) -> SafeString:
    return format_html('{} <span aria-label="then">→</span> {}', before, after) if before else after


def _condition(text: str) -> SafeString:
    """Return the badge of a host's condition; the feed also tells that a host is gone."""
    if text in [*Condition]:
        return condition_badge(Condition(text))
    return state_badge(text) if text else SafeString()


def _time(moment: datetime, kind: str, text: str) -> SafeString:
    at = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return format_html('<time class="{}" datetime="{}" title="{}">{}</time>', kind, at, utc_text(moment), text)
