-- ---
-- id = "registry_change"
-- title = "Registry keys and values created, set, deleted"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Sysmon 12, 13 and 14 and Security 4657 (by SACL) as one shape; key_path ends in the value's name."""
-- ---
-- Sysmon shortens hives (HKLM\...), 4657 writes \REGISTRY\MACHINE\...; %%1905 is value modified, %%1904 created, %%1906 deleted.
SELECT
    event_key, event_time, host, computer, event_id,
    CASE WHEN data.EventType ILIKE 'Delete%' THEN 'deleted' WHEN event_id = 12 THEN 'created'
         WHEN event_id = 14 THEN 'renamed' ELSE 'set' END AS kind,
    target_object AS key_path,
    details AS new_value,
    image,
    process_guid,
    as_integer(data.ProcessId) AS process_id,
    known(data.User) AS user_name     -- from Sysmon 13.30
FROM (SELECT *, fields(event_data, 'EventType, ProcessId, User') AS data FROM counted_event)
WHERE event_id IN (12, 13, 14) AND provider = 'Microsoft-Windows-Sysmon'
UNION ALL
SELECT
    event_key, event_time, host, computer, event_id,
    CASE data.OperationType WHEN '%%1906' THEN 'deleted' WHEN '%%1904' THEN 'created' ELSE 'set' END,
    replace(data.ObjectName, '\REGISTRY\MACHINE', 'HKLM') || '\' || (data.ObjectValueName),
    data.NewValue,
    process_name,
    NULL,
    as_integer(data.ProcessId),
    account(subject_domain_name, subject_user_name)
FROM (SELECT *, fields(event_data, 'OperationType, ObjectName, ObjectValueName, NewValue, ProcessId') AS data FROM counted_event)
WHERE event_id = 4657 AND provider = 'Microsoft-Windows-Security-Auditing'
