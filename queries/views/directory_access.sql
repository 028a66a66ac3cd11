-- ---
-- id = "directory_access"
-- title = "Directory objects used"
-- description = """One row a Security 4662 of a domain controller, with the GUIDs of the rights or properties used."""
-- ---
SELECT
    event_key, event_time, host, computer,
    subject_user_name AS user_name, subject_domain_name AS user_domain,
    event_data->>'SubjectUserSid' AS user_sid,
    subject_logon_id AS logon_id,
    clean_guid(ltrim(event_data->>'ObjectType', '%')) AS object_type,
    event_data->>'ObjectName' AS object_name,
    as_integer(event_data->>'AccessMask') AS access_mask,       -- 0x100: an extended right was used
    regexp_extract_all(lower(event_data->>'Properties'), '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') AS right_guids
FROM counted_event
WHERE event_id = 4662 AND provider = 'Microsoft-Windows-Security-Auditing'
