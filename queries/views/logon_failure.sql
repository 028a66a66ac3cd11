-- ---
-- id = "logon_failure"
-- title = "Failed logons"
-- description = """Failures of 4625 (this computer refused), 4771 (a domain controller refused pre-authentication) and
-- 4776 (NTLM validation failed) as one shape. An attempt with NTLM may leave 4625 and 4776: see failed_attempt."""
-- ---
-- Fields: 4625 gives the cause in SubStatus, or in Status where SubStatus is 0x0; 4771 has a Kerberos code and no domain;
-- 4776 has neither address nor logon type, Workstation is often empty, and success is logged with the same id.
SELECT
    event_key, event_time, host, computer, event_id,
    known(target_user_name) AS user_name,
    known(target_domain_name) AS user_domain,
    lower(status) AS status,
    lower(data.SubStatus) AS sub_status,
    status_meaning(coalesce(nullif(data.SubStatus, '0x0'), status)) AS reason,
    logon_type,
    clean_ip(ip_address) AS ip,
    as_integer(data.IpPort) AS port,
    known(coalesce(workstation_name, data.Workstation)) AS workstation,
    CASE event_id WHEN 4625 THEN known(authentication_package_name) WHEN 4771 THEN 'Kerberos' ELSE 'NTLM' END
        AS authentication_package,
    known(data.LogonProcessName) AS logon_process,
    known(process_name) AS process_name,
    subject_user_name,
    subject_logon_id
FROM (SELECT *, fields(event_data, 'SubStatus, IpPort, Workstation, LogonProcessName') AS data FROM counted_event)
WHERE event_id IN (4625, 4771, 4776) AND provider = 'Microsoft-Windows-Security-Auditing'
    AND NOT (event_id = 4776 AND coalesce(status, '0x0') = '0x0')
