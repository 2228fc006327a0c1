"""The console's side of the wire: SSH to each host, HTTP/JSON inside it."""
