"""What is carried to others on a thread of its own: mails, and whatever else may have to wait."""
