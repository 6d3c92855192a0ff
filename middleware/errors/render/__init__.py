"""A record becomes text: a page, plain text, Markdown, JSON, a log line, a mail."""
