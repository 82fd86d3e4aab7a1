"""Notifications of waiting approvals: signed webhooks, Slack and e-mail, with links that answer a gate."""
