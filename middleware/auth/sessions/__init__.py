"""Sessions: who has shown who they are, and for how long that counts."""
