"""The Lambda rooms: one package a service. No room imports another."""
