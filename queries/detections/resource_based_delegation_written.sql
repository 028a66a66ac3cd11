-- ---
-- id = "resource_based_delegation_written"
-- title = "Resource-based delegation written"
-- level = "high"
-- other_levels = ["critical"]  # by someone who made a computer account shortly before
-- attack = ["T1098", "T1558"]
-- description = """msDS-AllowedToActOnBehalfOfOtherIdentity of an account was written (5136): another account may now act as anyone towards
-- it. By whoever may write one computer object; with a computer account made shortly before it is the known attack."""
-- false_positives = ["Clusters, and administrators who set up the second hop as Microsoft tells"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Security", event_id = [4741, 5136]}]
-- [params.hours]
-- type = "integer"
-- default = 24
-- description = "A computer account made so long before by the same user belongs to it"
-- ---
-- 24 hours: long enough for an attack in two sittings.
WITH written AS (
    SELECT event_key, event_time, host, computer, account(subject_domain_name, subject_user_name) AS user_name, subject_user_name AS writer,
        regexp_extract(event_data->>'ObjectDN', '^CN=([^,]+)', 1) AS target
    FROM rare_event WHERE event_id = 5136 AND provider = 'Microsoft-Windows-Security-Auditing'
        AND event_data->>'AttributeLDAPDisplayName' = 'msDS-AllowedToActOnBehalfOfOtherIdentity'
),
-- A machine account may be made by any user (MachineAccountQuota).
made AS (SELECT event_key, event_time, lower(user_name) AS writer, target_name FROM account_change WHERE event_id = 4741)
SELECT written.event_time, written.host, written.computer, written.user_name,
    coalesce(written.user_name, 'Somebody') || ' let another account act as anyone towards ' || coalesce(target, 'an account')
        || coalesce('; the same user had made the computer account ' || arg_min(made.target_name, made.event_key) || ' before', '') AS summary,
    list_sort(list_distinct([written.event_key] || coalesce(list(made.event_key) FILTER (made.event_key IS NOT NULL), []))) AS evidence,
    CASE WHEN count(made.event_key) > 0 THEN 'critical' END AS level
FROM written LEFT JOIN made ON made.writer = lower(written.writer)
    AND made.event_time BETWEEN written.event_time - to_hours($hours) AND written.event_time
GROUP BY written.event_key, written.event_time, written.host, written.computer, written.user_name, target
ORDER BY written.event_time, evidence
