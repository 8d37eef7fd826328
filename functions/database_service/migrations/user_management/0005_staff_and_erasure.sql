-- What the platform's staff and clock see across tenants: no personal data, a page at a time.

CREATE FUNCTION list_tenants(wanted text, after uuid, page int)
RETURNS TABLE (tenant_id uuid, name text, status text, version int, created_at timestamptz,
               closed_at timestamptz, members bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_management, pg_temp AS $$
  SELECT t.tenant_id, t.name, t.status, t.version, t.created_at, t.closed_at,
    (SELECT count(*) FROM user_management.profiles p WHERE p.tenant_id = t.tenant_id)
  FROM user_management.tenants t
  WHERE (wanted IS NULL OR t.status = wanted) AND (after IS NULL OR t.tenant_id > after)
  ORDER BY t.tenant_id LIMIT least(page, 101)
$$;
REVOKE ALL ON FUNCTION list_tenants(text, uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION list_tenants(text, uuid, int) TO sinyal_user_management;

CREATE FUNCTION find_due_erasures(as_of timestamptz, asked_before timestamptz, page int)
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_management, pg_temp AS $$
  SELECT t.tenant_id FROM user_management.tenants t
  WHERE t.status = 'closed' AND t.erase_after <= as_of
    AND (t.erasure_asked_at IS NULL OR t.erasure_asked_at <= asked_before)
  ORDER BY t.erase_after, t.tenant_id LIMIT least(page, 200)
$$;
REVOKE ALL ON FUNCTION find_due_erasures(timestamptz, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_due_erasures(timestamptz, timestamptz, int)
  TO sinyal_user_management;
