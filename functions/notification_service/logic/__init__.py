"""Use cases of notification_service: what to say, to whom, and how it gets there once."""
