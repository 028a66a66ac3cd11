-- ---
-- id = "log_cleared"
-- title = "Event logs that were cleared"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Security 1102 and Eventlog 104 of other channels. UserData nests one level more: LogFileCleared."""
-- ---
SELECT
    event_key, event_time, host, computer, channel, event_id,
    -- 1102 clears Security itself; 104 is written to System and names the channel that was cleared.
    CASE WHEN event_id = 1102 THEN 'Security' ELSE event_data->>'$.LogFileCleared.Channel' END AS cleared_channel,
    known(event_data->>'$.LogFileCleared.BackupPath') AS backup_path,
    event_data->>'$.LogFileCleared.SubjectUserName' AS user_name,
    event_data->>'$.LogFileCleared.SubjectDomainName' AS user_domain,
    coalesce(event_data->>'$.LogFileCleared.SubjectUserSid', user_sid) AS subject_user_sid,
    as_integer(event_data->>'$.LogFileCleared.SubjectLogonId') AS subject_logon_id
FROM rare_event
WHERE event_id IN (104, 1102) AND provider = 'Microsoft-Windows-Eventlog'
