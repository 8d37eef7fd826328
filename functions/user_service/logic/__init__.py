"""Decisions and use cases of user_service, split by use case; no AWS, no HTTP, no SQL."""
