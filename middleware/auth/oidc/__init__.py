"""Login at an OpenID provider: what we ask it, what we believe of what it says, and how long."""
