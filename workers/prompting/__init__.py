"""Prompts as files: parsed, checked against an allow-list, rendered strictly."""
