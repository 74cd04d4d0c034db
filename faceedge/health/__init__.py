"""Heartbeats, counters, and what systemd is told."""
