"""Decisions of payment_gateway: notifications, attempts and charges, transitions."""
