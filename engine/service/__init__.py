"""The running service: triggers, schedule, HTTP, WebSocket. Needs the extra `serve`; the batch runs without it."""
