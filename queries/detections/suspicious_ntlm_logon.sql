-- ---
-- id = "suspicious_ntlm_logon"
-- title = "Local administrator by NTLM from the network"
-- level = "medium"
-- other_levels = ["low"]  # version 1 without administrative rights
-- attack = ["T1550.002"]
-- description = """A local account with administrative rights logged on over the network by NTLM, or anyone by NTLM version 1. A stolen hash
-- works for that, and the same local password on many computers makes it work everywhere."""
-- false_positives = ["Workgroup computers; backup and inventory by local accounts; very old devices speak version 1"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4624"]
-- requires = [{channel = "Security", event_id = [4624, 4672]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- Local: the account's domain is the computer's own name.
WITH candidate AS (
    SELECT logon.*, logon_session.is_privileged, logon_session.event_keys
    FROM logon JOIN logon_session ON logon_session.event_keys[1] = logon.event_key
    WHERE logon.logon_type = 3 AND logon.authentication_package = 'NTLM' AND NOT is_machine_account(logon.user_name)
        AND logon.ip IS NOT NULL AND NOT is_loopback(logon.ip)
        AND (logon.lm_package = 'NTLM V1' OR (logon_session.is_privileged AND lower(logon.user_domain) = short_host(logon.computer)))
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name, ip ORDER BY event_time, event_key) AS previous FROM candidate),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name, ip ORDER BY event_time, event_key) AS island
    FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    coalesce(arg_min(account(user_domain, user_name), event_key), 'Somebody') || ' logged on to ' || coalesce(computer, 'an unnamed computer') || ' from ' || ip
        || coalesce(' (' || arg_min(workstation, event_key) || ')', '') || ' by ' || coalesce(arg_min(lm_package, event_key), 'NTLM')
        || CASE WHEN bool_or(is_privileged) THEN ' with administrative rights' ELSE '' END
        || ', ' || counted(count(*), 'time') || ' ' || show_span(min(event_time), max(event_time)) AS summary,
    -- 4624 and 4672; the logoff tells nothing more.
    list_sort(flatten(list(event_keys[1:1 + is_privileged::INTEGER]))) AS evidence,
    CASE WHEN NOT bool_or(is_privileged) THEN 'low' END AS level
FROM numbered GROUP BY computer, user_name, ip, island
ORDER BY event_time, evidence
