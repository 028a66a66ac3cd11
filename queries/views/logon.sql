-- ---
-- id = "logon"
-- title = "Successful logons"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """One row a Security 4624: who logged on to which computer, how, from where, with which rights."""
-- ---
-- Fields: Security 4624. Version 0 (7, 2008 R2) has no ImpersonationLevel, version 1 (8, 2012) none of the columns from
-- is_restricted_admin on: NULL there means "not logged", never "no". %%NNNN codes are from the provider's message table.
SELECT
    event_key, event_time, host, computer, version,
    target_user_name AS user_name,
    target_domain_name AS user_domain,
    target_user_sid AS user_sid,
    target_logon_id AS logon_id,            -- repeats after a reboot: key it by computer and boot
    logon_type,
    CASE logon_type
        WHEN 0 THEN 'system' WHEN 2 THEN 'interactive' WHEN 3 THEN 'network' WHEN 4 THEN 'batch' WHEN 5 THEN 'service'
        WHEN 7 THEN 'unlock' WHEN 8 THEN 'network cleartext' WHEN 9 THEN 'new credentials'
        WHEN 10 THEN 'remote interactive' WHEN 11 THEN 'cached interactive'
        WHEN 12 THEN 'cached remote interactive' WHEN 13 THEN 'cached unlock' ELSE logon_type::VARCHAR END AS logon_type_name,
    clean_ip(ip_address) AS ip,             -- NULL also where http.sys authenticated for WinRM
    as_integer(data.IpPort) AS port,
    known(workstation_name) AS workstation, -- what the client says of itself; Kerberos gives none
    known(data.LogonProcessName) AS logon_process,
    known(authentication_package_name) AS authentication_package,
    known(data.LmPackageName) AS lm_package,
    as_integer(data.KeyLength) AS key_length,
    clean_guid(data.LogonGuid) AS logon_guid,
    known(data.TransmittedServices) AS transmitted_services,
    CASE data.ImpersonationLevel
        WHEN '%%1831' THEN 'anonymous' WHEN '%%1832' THEN 'identification' WHEN '%%1833' THEN 'impersonation'
        WHEN '%%1840' THEN 'delegation' END AS impersonation_level,
    known(subject_user_name) AS subject_user_name, known(subject_domain_name) AS subject_user_domain,
    subject_logon_id,
    as_integer(data.ProcessId) AS process_id,
    known(process_name) AS process_name,
    CASE data.RestrictedAdminMode WHEN '%%1842' THEN true WHEN '%%1843' THEN false END AS is_restricted_admin,
    CASE data.VirtualAccount WHEN '%%1842' THEN true WHEN '%%1843' THEN false END AS is_virtual_account,
    CASE data.ElevatedToken WHEN '%%1842' THEN true WHEN '%%1843' THEN false END AS is_elevated,
    nullif(as_integer(data.TargetLinkedLogonId), 0) AS linked_logon_id,   -- the other half of a UAC split
    known(data.TargetOutboundUserName) AS outbound_user_name,             -- type 9: whose credentials go out
    known(data.TargetOutboundDomainName) AS outbound_user_domain
FROM (SELECT *, fields(event_data, 'IpPort, LogonProcessName, LmPackageName, KeyLength, LogonGuid, TransmittedServices, ImpersonationLevel, ProcessId, RestrictedAdminMode, VirtualAccount, ElevatedToken, TargetLinkedLogonId, TargetOutboundUserName, TargetOutboundDomainName') AS data FROM counted_event)
WHERE event_id = 4624 AND provider = 'Microsoft-Windows-Security-Auditing'
