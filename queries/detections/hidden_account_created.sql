-- ---
-- id = "hidden_account_created"
-- title = "User account with a name made to hide it"
-- level = "high"
-- attack = ["T1136.001", "T1564.002"]
-- description = """A user account whose name ends in $ was created (4720), or its key appeared in the SAM. net user does not
-- list such names, and they pass for computer accounts (which are created with 4741)."""
-- false_positives = ["Some backup and clustering products"]
-- references = ["https://attack.mitre.org/techniques/T1564/002/"]
-- requires = [{channel = "Security", event_id = [4720, 4781]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [12, 13]}]
-- ---
WITH creation AS (
    SELECT event_key, event_time, host, computer, account(user_domain, user_name) AS user_name,
        CASE WHEN kind = 'account created' THEN target_name ELSE new_name END AS hidden_name
    FROM account_change
    WHERE (kind = 'account created' AND ends_with(target_name, '$'))
        OR (kind = 'account renamed' AND ends_with(new_name, '$') AND NOT ends_with(target_name, '$'))
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, regexp_extract(key_path, '(?i)\\Users\\Names\\([^\\]+\$)', 1)
    FROM registry_change
    WHERE kind <> 'deleted' AND regexp_matches(key_path, '(?i)\\SAM\\SAM\\Domains\\Account\\Users\\Names\\[^\\]+\$(\\|$)')
)
SELECT min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host, computer,
    any_value(user_name ORDER BY event_key) AS user_name,
    coalesce(any_value(user_name ORDER BY event_key), 'Somebody') || ' created the user account "' || excerpt(hidden_name, 60)
        || '", whose name hides it from net user, on ' || coalesce(computer, 'an unnamed computer') || ' '
        || show_span(min(event_time), max(event_time)) AS summary,
    list(event_key ORDER BY event_key) AS evidence, hidden_name
FROM creation
GROUP BY computer, hidden_name, event_time::DATE
ORDER BY min(event_time), evidence
