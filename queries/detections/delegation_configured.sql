-- ---
-- id = "delegation_configured"
-- title = "Delegation configured"
-- level = "high"
-- attack = ["T1098", "T1484"]
-- description = """An account was trusted for delegation (unconstrained), for services (constrained), or with protocol transition: 4742 and 4738
-- show the flag or the services, 5136 the attribute. Whoever rules that account may go on as others."""
-- false_positives = ["Administrators who set up web and database servers"]
-- references = ["https://learn.microsoft.com/windows-server/security/kerberos/kerberos-constrained-delegation-overview"]
-- requires = [{channel = "Security", event_id = [4738, 4742, 5136]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- 4738 and 4742 have SAM flags: 0x2000 trusted for delegation, 0x40000 protocol transition. 5136 has LDAP's: 0x80000 and 0x1000000;
-- it writes the old value (%%14675) and the new one (%%14674), so that a bit is new where the old value lacks it.
WITH directory AS (
    SELECT event_key, event_time, host, computer, account(subject_domain_name, subject_user_name) AS user_name, event_data->>'ObjectDN' AS object,
        event_data->>'AttributeLDAPDisplayName' AS attribute, event_data->>'AttributeValue' AS value, event_data->>'OperationType' AS operation
    FROM rare_event WHERE event_id = 5136 AND provider = 'Microsoft-Windows-Security-Auditing'
        AND event_data->>'AttributeLDAPDisplayName' IN ('msDS-AllowedToDelegateTo', 'userAccountControl')
),
flag AS (SELECT *, coalesce(as_integer(value), 0) & 17301504 AS bits FROM directory WHERE attribute = 'userAccountControl'),
step AS (
    SELECT event_key, event_time, host, computer, account(user_domain, user_name) AS user_name, target_name AS target,
        CASE WHEN allowed_to_delegate_to IS NOT NULL THEN 'to ' || excerpt(allowed_to_delegate_to, 120)
             WHEN new_uac & ~old_uac & 8192 <> 0 THEN 'to any service (unconstrained)' ELSE 'with protocol transition' END AS what
    FROM account_change
    WHERE event_id IN (4738, 4742) AND (allowed_to_delegate_to IS NOT NULL OR new_uac & ~old_uac & 270336 <> 0)
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, regexp_extract(object, '^CN=([^,]+)', 1), 'to ' || value
    FROM directory WHERE attribute = 'msDS-AllowedToDelegateTo' AND operation = '%%14674'
    UNION ALL
    SELECT unnest([new.event_key, old.event_key]), new.event_time, new.host, new.computer, new.user_name, regexp_extract(new.object, '^CN=([^,]+)', 1),
        CASE WHEN new.bits & 524288 <> 0 THEN 'to any service (unconstrained)' ELSE 'with protocol transition' END
    FROM flag AS new LEFT JOIN flag AS old ON old.operation = '%%14675' AND old.object = new.object AND old.computer = new.computer
        AND old.event_time BETWEEN new.event_time - INTERVAL 5 SECOND AND new.event_time + INTERVAL 5 SECOND
    WHERE new.operation = '%%14674' AND new.bits <> 0 AND coalesce(old.bits, 0) <> new.bits
),
stepped AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, rtrim(lower(target), '$') ORDER BY event_time, event_key) AS previous
    FROM step WHERE event_key IS NOT NULL
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (
        PARTITION BY computer, rtrim(lower(target), '$') ORDER BY event_time, event_key) AS island
    FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    coalesce(arg_min(user_name, event_key), 'Somebody') || ' trusted ' || coalesce(arg_min(target, event_key), 'an account')
        || ' for delegation ' || name_list(list(what), 4) AS summary,
    list_sort(list(DISTINCT event_key)) AS evidence
FROM numbered GROUP BY computer, rtrim(lower(target), '$'), island
ORDER BY event_time, evidence
