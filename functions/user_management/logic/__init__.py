"""Decisions and use cases of user_management, one module a subject."""
