"""Prompt lab: weighs how versions of prompts do, replays recorded tasks with them, and has them revised."""
