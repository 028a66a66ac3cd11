-- ---
-- id = "process_access"
-- title = "Processes opened by other processes"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """One row a Sysmon 10: which process opened which other one, and with which rights."""
-- ---
-- Sysmon writes these GUIDs as ...GUID, in its other events as ...Guid.
SELECT
    event_key, event_time, host, computer,
    source_image, file_name(source_image) AS source_program,
    as_integer(event_data->>'SourceProcessId') AS source_process_id,
    clean_guid(coalesce(event_data->>'SourceProcessGUID', event_data->>'SourceProcessGuid')) AS source_process_guid,
    account_user(event_data->>'SourceUser') AS source_user_name,        -- from Sysmon 13.30
    target_image, file_name(target_image) AS target_program,
    as_integer(event_data->>'TargetProcessId') AS target_process_id,
    as_integer(event_data->>'GrantedAccess') AS granted_access,         -- 0x10 reads memory, 0x20 writes it, 0x1000 asks for little
    event_data->>'GrantedAccess' AS granted_access_hex,
    event_data->>'CallTrace' AS call_trace
FROM counted_event
WHERE event_id = 10 AND provider = 'Microsoft-Windows-Sysmon'
