"""A record is carried to people and programs: logs, files, mail, webhooks."""
