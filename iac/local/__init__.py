"""The local stack: every server Sinyal needs, on loopback, without Docker or an AWS account."""
