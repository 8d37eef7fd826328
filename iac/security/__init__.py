"""The security gates behind ``make audit``: code, advisories, hashes, secrets; all work offline."""
