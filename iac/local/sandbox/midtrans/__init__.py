"""Midtrans sandbox: Core API, Snap, and signed notifications with redelivery."""
