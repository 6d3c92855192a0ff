"""HTTP/1.1 messages: heads and bodies of requests, replies, and what is refused. Nothing here waits for a socket."""
