"""Telling people without being asked, through one library that reaches Slack, e-mail, Teams and webhooks."""
