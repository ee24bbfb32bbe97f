"""What is wrong, since when, and how far its telling is."""

from alerts.models.channel import Channel, ChannelKind, Route
from alerts.models.delivery import Delivery, DeliveryState, Message, MessageState
from alerts.models.incident import Change, Incident
from alerts.models.judge import Judge
from alerts.models.silence import Silence

__all__ = [
    "Change",
    "Channel",
    "ChannelKind",
    "Delivery",
    "DeliveryState",
    "Incident",
    "Judge",
    "Message",
    "MessageState",
    "Route",
    "Silence",
]
