"""Second factors: the sealed secret, the last time step taken, recovery codes; known devices."""

from collections.abc import Sequence
from uuid import UUID

from functions.user_service.models import DeviceNews, Factor
from functions.user_service.store.rows import Rows

DEVICES_A_USER = 50


class FactorRows(Rows):
    """Second factors of the transaction's tenant."""

    def read_factor(self, user_id: UUID) -> Factor | None:
        """A user's second factor, on or waiting to be confirmed."""
        row = self._tx.fetch_one(
            "SELECT sealed_secret, confirmed_at, last_step FROM totp_factors WHERE user_id = %s",
            [user_id],
        )
        if row is None:
            return None
        return Factor(bytes(row["sealed_secret"]), row["confirmed_at"], row["last_step"])

    def put_pending_factor(self, user_id: UUID, sealed_secret: bytes) -> bool:
        """Keep a secret until it is confirmed; False when one is on."""
        row = self._tx.fetch_one(
            "INSERT INTO totp_factors (user_id, tenant_id, sealed_secret, created_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (user_id) DO UPDATE"
            " SET sealed_secret = excluded.sealed_secret, created_at = excluded.created_at,"
            " last_step = 0 WHERE totp_factors.confirmed_at IS NULL RETURNING user_id",
            [user_id, self._tx.tenant_id, sealed_secret, self._tx.now],
        )
        return row is not None

    def confirm_factor(self, user_id: UUID) -> bool:
        """Turn a factor on; False when it is on."""
        row = self._tx.fetch_one(
            "UPDATE totp_factors SET confirmed_at = %s"
            " WHERE user_id = %s AND confirmed_at IS NULL RETURNING user_id",
            [self._tx.now, user_id],
        )
        return row is not None

    def take_step(self, user_id: UUID, step: int) -> bool:
        """Use up a time step and all before it; False when it was used. Of two takers, one wins."""
        row = self._tx.fetch_one(
            "UPDATE totp_factors SET last_step = %s WHERE user_id = %s AND last_step < %s"
            " RETURNING user_id",
            [step, user_id, step],
        )
        return row is not None

    def drop_factor(self, user_id: UUID) -> bool:
        """Turn a factor off, its recovery codes too; False when there is none."""
        self._tx.execute("DELETE FROM recovery_codes WHERE user_id = %s", [user_id])
        row = self._tx.fetch_one(
            "DELETE FROM totp_factors WHERE user_id = %s RETURNING user_id", [user_id]
        )
        return row is not None

    def replace_recovery_codes(self, user_id: UUID, code_hashes: Sequence[bytes]) -> None:
        """Keep these codes and no others."""
        self._tx.execute("DELETE FROM recovery_codes WHERE user_id = %s", [user_id])
        self._tx.execute(
            "INSERT INTO recovery_codes (tenant_id, user_id, code_hash)"
            " SELECT %s, %s, * FROM unnest(%s::bytea[])",
            [self._tx.tenant_id, user_id, list(code_hashes)],
        )

    def use_recovery_code(self, user_id: UUID, code_hash: bytes) -> bool:
        """Use a code up; False when there is no such code, or not any more."""
        row = self._tx.fetch_one(
            "UPDATE recovery_codes SET used_at = %s"
            " WHERE user_id = %s AND code_hash = %s AND used_at IS NULL RETURNING user_id",
            [self._tx.now, user_id, code_hash],
        )
        return row is not None

    def count_recovery_codes(self, user_id: UUID) -> int:
        """How many codes are left."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS left FROM recovery_codes WHERE user_id = %s AND used_at IS NULL",
            [user_id],
        )
        return int(row["left"]) if row else 0

    def note_device(self, user_id: UUID, device_hash: bytes) -> DeviceNews:
        """Remember a device: the user's first of all, another new one, or a known one."""
        row = self._tx.fetch_one(
            "WITH before AS (SELECT count(*) AS known,"
            " count(*) FILTER (WHERE device_hash = %(hash)s) AS same"
            " FROM known_devices WHERE user_id = %(user)s),"
            " noted AS (INSERT INTO known_devices (tenant_id, user_id, device_hash, last_seen_at)"
            " VALUES (%(tenant)s, %(user)s, %(hash)s, %(now)s)"
            " ON CONFLICT (user_id, device_hash) DO UPDATE SET last_seen_at = %(now)s)"
            " SELECT known, same FROM before",
            {
                "hash": device_hash,
                "user": user_id,
                "tenant": self._tx.tenant_id,
                "now": self._tx.now,
            },
        )
        assert row is not None
        if row["same"]:
            return "known"
        self._tx.execute(
            "DELETE FROM known_devices WHERE user_id = %s AND device_hash IN ("
            "SELECT device_hash FROM known_devices WHERE user_id = %s"
            " ORDER BY last_seen_at DESC OFFSET %s)",
            [user_id, user_id, DEVICES_A_USER],
        )
        return "new" if row["known"] else "first"
