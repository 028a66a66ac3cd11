-- ---
-- id = "as_rep_roasting"
-- title = "Ticket without pre-authentication (AS-REP roasting)"
-- level = "high"
-- other_levels = ["medium"]  # AES only: the account is as weak, but tools ask for RC4
-- attack = ["T1558.004"]
-- description = """A TGT was granted to an account that need not prove its password first: anyone may ask for it and crack the answer."""
-- false_positives = ["Accounts that old applications need without pre-authentication"]
-- references = ["https://attack.mitre.org/techniques/T1558/004/"]
-- requires = [{channel = "Security", event_id = [4768]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
WITH asked AS (
    SELECT * FROM kerberos_ticket WHERE kind = 'TGT' AND is_success AND pre_auth_type = 0 AND NOT is_machine_account(user_name)
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, ip ORDER BY event_time, event_key) AS previous FROM asked),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, ip ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    'Tickets without pre-authentication were granted' || coalesce(' to ' || ip, '') || ' for ' || counted(count(DISTINCT user_name), 'account') || ' '
        || show_span(min(event_time), max(event_time)) || ': ' || name_list(list(user_name), 6) || ' (encryption ' || name_list(list(encryption_type), 3) || ')' AS summary,
    list_sort(list(event_key)) AS evidence,
    CASE WHEN bool_and(encryption_type IN ('0x11', '0x12')) THEN 'medium' END AS level
FROM numbered GROUP BY computer, ip, island
ORDER BY event_time, evidence
