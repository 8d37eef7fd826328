"""Where ended access is marked in Redis, so that the room that ends it and the authorizer agree.

A marker's value is the instant (epoch milliseconds) before which access tokens count no more. It
lives longer than any access token; the event AccessRevoked says the same, durably and later.
"""

from uuid import UUID

ACCESS_MARK_LIFE_S = 15 * 60
"""Longer than an access token lives, clocks that disagree included."""


def revoked_session_key(tenant_id: UUID, session_id: UUID) -> str:
    """Marks a session whose access tokens end now."""
    return f"{{{tenant_id}}}:revoked:session:{session_id}"


def revoked_user_key(tenant_id: UUID, user_id: UUID) -> str:
    """Marks a user whose access tokens issued before the value end."""
    return f"{{{tenant_id}}}:revoked:user:{user_id}"


def revoked_api_key_key(tenant_id: UUID, key_id: UUID) -> str:
    """Marks an API key that opens nothing any more."""
    return f"{{{tenant_id}}}:revoked:api_key:{key_id}"


def tenant_closed_key(tenant_id: UUID) -> str:
    """Marks a tenant that is suspended or closed; kept by the authorizer's room alone."""
    return f"{{{tenant_id}}}:closed"
