"""What only a real device can show. Marked `device`; skipped with a reason elsewhere."""
