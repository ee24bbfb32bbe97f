"""Tells people what happened: groups deliveries to messages, words them, and sends them through channels."""
