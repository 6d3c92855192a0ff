"""Mails to the users of a site: links that they have asked for, and what was changed of their accounts."""
