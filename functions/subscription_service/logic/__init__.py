"""Decisions of subscription_service: calendar, lifecycle of a subscription, metering, closing."""
