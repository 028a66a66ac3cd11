-- ---
-- id = "explicit_credential"
-- title = "Logons with explicit credentials"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """One row a Security 4648, on the computer where another account's password was used, with the server it
-- was meant for. Tells of the attempt, not whether it succeeded."""
-- ---
-- ProcessName is empty and ProcessId 4 when the kernel redirector authenticates (SMB). 92 real records lack TargetLogonGuid.
SELECT
    event_key, event_time, host, computer,
    subject_user_name, subject_domain_name AS subject_user_domain,
    subject_logon_id,
    known(target_user_name) AS user_name,           -- whose password was used
    known(target_domain_name) AS user_domain,
    clean_guid(data.TargetLogonGuid) AS target_logon_guid,
    known(data.TargetServerName) AS target_server,
    known(data.TargetInfo) AS target_info,    -- often an SPN such as RPCSS/host
    coalesce(lower(data.TargetServerName) IN ('localhost', '-', lower(computer), short_host(computer)), true) AS is_local,
    as_integer(data.ProcessId) AS process_id,
    known(process_name) AS process_name,
    clean_ip(ip_address) AS ip,
    as_integer(data.IpPort) AS port
FROM (SELECT *, fields(event_data, 'TargetLogonGuid, TargetServerName, TargetInfo, ProcessId, IpPort') AS data FROM counted_event)
WHERE event_id = 4648 AND provider = 'Microsoft-Windows-Security-Auditing'
