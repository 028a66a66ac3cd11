-- ---
-- id = "process_end"
-- title = "Ended processes"
-- materialize = true  # several tables look for the end of a process
-- description = """Security 4689 and Sysmon 5 as one shape; a computer with both has each end twice."""
-- ---
SELECT event_key, event_time, computer, as_integer(event_data->>'ProcessId') AS process_id
FROM counted_event
WHERE (event_id = 4689 AND provider = 'Microsoft-Windows-Security-Auditing')
    OR (event_id = 5 AND provider = 'Microsoft-Windows-Sysmon')
