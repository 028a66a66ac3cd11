-- ---
-- id = "failed_then_successful_logon"
-- title = "Failures that ended in success"
-- description = """Accounts that failed to log on from a source and then succeeded from the same one: guessed, or remembered."""
-- [params.min_failures]
-- type = "integer"
-- default = 3
-- description = "So many failures at least before the success"
-- [params.minutes]
-- type = "integer"
-- default = 30
-- description = "Failures so long before the success count"
-- ---
WITH failed AS (SELECT event_time, lower(user_name) AS user_name, coalesce(ip, workstation) AS source, computer, event_key FROM logon_failure),
succeeded AS (
    SELECT event_time, lower(user_name) AS user_name, coalesce(ip, workstation) AS source, computer, event_key, logon_type_name
    FROM logon WHERE NOT is_machine_account(user_name)
)
SELECT succeeded.event_time, succeeded.user_name, succeeded.source, succeeded.computer, logon_type_name AS kind, count(*) AS failures,
    min(failed.event_time) AS first_failure, list_sort(list(failed.event_key) || [succeeded.event_key]) AS event_keys
FROM succeeded JOIN failed ON failed.user_name = succeeded.user_name AND failed.source = succeeded.source AND failed.computer = succeeded.computer
    AND failed.event_time BETWEEN succeeded.event_time - to_minutes($minutes) AND succeeded.event_time
GROUP BY succeeded.event_key, succeeded.event_time, succeeded.user_name, succeeded.source, succeeded.computer, logon_type_name
HAVING count(*) >= $min_failures
ORDER BY succeeded.event_time, succeeded.event_key
