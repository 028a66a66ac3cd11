-- ---
-- id = "account_sid"
-- title = "Accounts by SID"
-- materialize = true  # counts all logons
-- description = """One row a SID: the name and domain that the logs give it most often. For events that name a SID only."""
-- ---
WITH named AS (
    SELECT target_user_sid AS user_sid, target_user_name AS user_name, target_domain_name AS user_domain
    FROM counted_event WHERE event_id IN (4624, 4634, 4647) AND provider = 'Microsoft-Windows-Security-Auditing'
    UNION ALL
    SELECT event_data->>'SubjectUserSid', subject_user_name, subject_domain_name
    FROM counted_event WHERE event_id IN (4672, 4648) AND provider = 'Microsoft-Windows-Security-Auditing'
        AND coalesce(subject_logon_id, 0) NOT IN (996, 997, 999)  -- the services' own, most of them: S-1-5-18, 19 and 20
    UNION ALL
    SELECT event_data->>'TargetSid', target_user_name, target_domain_name
    FROM counted_event WHERE event_id = 4768 AND provider = 'Microsoft-Windows-Security-Auditing'
),
counted AS (
    SELECT user_sid, known(user_name) AS user_name, known(user_domain) AS user_domain, count(*) AS n
    FROM named WHERE user_sid LIKE 'S-1-5-21-%' AND known(user_name) IS NOT NULL GROUP BY ALL
)
SELECT user_sid, arg_max(user_name, (n, user_name)) AS user_name, arg_max(user_domain, (n, user_name)) AS user_domain
FROM counted GROUP BY user_sid
