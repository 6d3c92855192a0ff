"""TLS: certificates, contexts that renew themselves, handshakes that never wait, and what apps learn of them."""
