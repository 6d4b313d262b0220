"""Run coding agents on issues as pytest tests; record their sessions and replay them deterministically."""
