"""Documents to consent to, and the trail of consents."""

from collections.abc import Mapping
from uuid import UUID

from contracts.user_service import Locale
from functions.user_management.models import Consent, ConsentDocument, ConsentWish, Document
from functions.user_management.store.tenants import TenantStore

RECORDS_SHOWN_MAX = 200
_RECORD = "consent_id, document, version, action, recorded_at, address"


class ConsentStore(TenantStore):
    """Consents of the transaction's tenant; rows are added, never changed."""

    def add_consent(
        self, consent_id: UUID, user_id: UUID, wish: ConsentWish, address: str | None
    ) -> Consent:
        """Add a record."""
        row = self._tx.fetch_one(
            "INSERT INTO consents (consent_id, tenant_id, user_id, document, version, action,"
            " recorded_at, address) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            f" RETURNING {_RECORD}",
            [
                consent_id,
                self._tx.tenant_id,
                user_id,
                wish.document,
                wish.version,
                wish.action,
                self._tx.now,
                address,
            ],
        )
        return Consent.model_validate(row)

    def read_latest(self, user_id: UUID, document: Document) -> Consent | None:
        """A user's newest record of a document."""
        row = self._tx.fetch_one(
            f"SELECT {_RECORD} FROM consents WHERE tenant_id = %s AND user_id = %s"
            " AND document = %s ORDER BY number DESC LIMIT 1",
            [self._tx.tenant_id, user_id, document],
        )
        return Consent.model_validate(row) if row else None

    def read_standing(self, user_id: UUID) -> Mapping[Document, int]:
        """The version of each document that the user's consent stands for."""
        rows = self._tx.fetch_all(
            "SELECT document, version FROM (SELECT DISTINCT ON (document) document, version,"
            " action FROM consents WHERE tenant_id = %s AND user_id = %s"
            " ORDER BY document, number DESC) AS latest WHERE action = 'given' LIMIT 10",
            [self._tx.tenant_id, user_id],
        )
        return {row["document"]: row["version"] for row in rows}

    def read_present_versions(self) -> Mapping[Document, int]:
        """The newest version in force of each document."""
        rows = self._tx.fetch_all(
            "SELECT document, max(version) AS version FROM consent_documents"
            " WHERE effective_at <= %s GROUP BY document LIMIT 10",
            [self._tx.now],
        )
        return {row["document"]: row["version"] for row in rows}

    def list_documents(self, user_id: UUID, locale: Locale) -> list[ConsentDocument]:
        """The present versions in the user's language, and which the user consented to."""
        standing = self.read_standing(user_id)
        rows = self._tx.fetch_all(
            "SELECT DISTINCT ON (document) document, version, text_sha256, effective_at,"
            " CASE WHEN %(locale)s = 'id' THEN title_id ELSE title_en END AS title,"
            " CASE WHEN %(locale)s = 'id' THEN text_id ELSE text_en END AS text"
            " FROM consent_documents WHERE effective_at <= %(now)s"
            " ORDER BY document, version DESC LIMIT 10",
            {"locale": locale, "now": self._tx.now},
        )
        return [
            ConsentDocument(**row, consented=standing.get(row["document"]) == row["version"])
            for row in rows
        ]

    def list_consents(self, user_id: UUID) -> list[Consent]:
        """A user's records, newest first."""
        rows = self._tx.fetch_all(
            f"SELECT {_RECORD} FROM consents WHERE tenant_id = %s AND user_id = %s"
            " ORDER BY number DESC LIMIT %s",
            [self._tx.tenant_id, user_id, RECORDS_SHOWN_MAX],
        )
        return [Consent.model_validate(row) for row in rows]
