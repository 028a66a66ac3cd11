-- ---
-- id = "special_privilege"
-- title = "Logons with administrator-like privileges"
-- description = """One row a Security 4672, which comes with the 4624 of the same logon id."""
-- ---
SELECT
    event_key, event_time, host, computer,
    subject_user_name AS user_name, subject_domain_name AS user_domain,
    event_data->>'SubjectUserSid' AS user_sid,
    subject_logon_id AS logon_id,
    regexp_split_to_array(trim(event_data->>'PrivilegeList', E' \r\n\t'), '\s+') AS privileges
FROM counted_event
WHERE event_id = 4672 AND provider = 'Microsoft-Windows-Security-Auditing'
