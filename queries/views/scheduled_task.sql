-- ---
-- id = "scheduled_task"
-- title = "Scheduled tasks created, changed, deleted"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Security 4698 to 4702 (by policy; with the task's XML) and TaskScheduler/Operational 106, 140, 141."""
-- ---
-- The XML stands in TaskContent, in TaskContentNew of 4702; 4699 has it in some builds only.
WITH record AS (
    SELECT *, coalesce(event_data->>'TaskContentNew', event_data->>'TaskContent') AS xml
    FROM rare_event
    WHERE (event_id BETWEEN 4698 AND 4702 AND provider = 'Microsoft-Windows-Security-Auditing')
        OR (event_id IN (106, 140, 141) AND provider = 'Microsoft-Windows-TaskScheduler')
)
SELECT
    event_key, event_time, host, computer, event_id,
    CASE WHEN event_id IN (4698, 106) THEN 'created' WHEN event_id IN (4699, 141) THEN 'deleted'
         WHEN event_id = 4700 THEN 'enabled' WHEN event_id = 4701 THEN 'disabled' ELSE 'changed' END AS kind,
    event_data->>'TaskName' AS task_name,
    coalesce(account(subject_domain_name, subject_user_name), event_data->>'UserContext', event_data->>'UserName') AS user_name,
    subject_logon_id AS logon_id,
    unescape_xml(nullif(regexp_extract(xml, '(?s)<Command>(.*?)</Command>', 1), '')) AS command,
    unescape_xml(nullif(regexp_extract(xml, '(?s)<Arguments>(.*?)</Arguments>', 1), '')) AS arguments,
    nullif(regexp_extract(xml, '<UserId>(.*?)</UserId>', 1), '') AS run_as,
    coalesce(xml ILIKE '%<Hidden>true</Hidden>%', false) AS is_hidden
FROM record
