"""Zoom, by its webhooks (Team Chat, chatbots, text messages, meetings, Contact Center): what only this provider needs. It knows no host."""
