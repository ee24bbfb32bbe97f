"""What is wrong, since when, and how far its telling is."""

from alerts.core.conditions import CONDITION_WORDS, PAST_WORDS, Condition, Phase, Severity, SubjectKind, subject_kind
from alerts.models.channel import Channel, ChannelKind, Route
from alerts.models.delivery import Delivery, DeliveryState, Message, MessageState
from alerts.models.incident import Change, Incident
from alerts.models.judge import Judge
from alerts.models.silence import Silence

__all__ = [
    "CONDITION_WORDS",
    "PAST_WORDS",
    "Change",
    "Channel",
    "ChannelKind",
    "Condition",
    "Delivery",
    "DeliveryState",
    "Incident",
    "Judge",
    "Message",
    "MessageState",
    "Phase",
    "Route",
    "Severity",
    "Silence",
    "SubjectKind",
    "subject_kind",
]
