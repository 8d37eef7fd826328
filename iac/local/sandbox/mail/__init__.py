"""Mail sandbox: an SMTP server that keeps what it gets, and a mailbox to read over HTTP."""
