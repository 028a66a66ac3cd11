-- ---
-- id = "logon"
-- title = "Successful logons"
-- description = """One row a Security 4624: who logged on to which computer, how, from where, with which rights."""
-- ---
-- Fields: Security 4624. Version 0 (7, 2008 R2) has no ImpersonationLevel, version 1 (8, 2012) none of the columns from
-- is_restricted_admin on: NULL there means "not logged", never "no". %%NNNN codes are from the provider's message table.
-- All fields of an event at once: each ->> would read its JSON again.
WITH record AS (
    SELECT *, json_transform(event_data, '{"IpPort": "VARCHAR", "LogonProcessName": "VARCHAR", "LmPackageName": "VARCHAR",
        "KeyLength": "VARCHAR", "LogonGuid": "VARCHAR", "TransmittedServices": "VARCHAR", "ImpersonationLevel": "VARCHAR",
        "ProcessId": "VARCHAR", "RestrictedAdminMode": "VARCHAR", "VirtualAccount": "VARCHAR", "ElevatedToken": "VARCHAR",
        "TargetLinkedLogonId": "VARCHAR", "TargetOutboundUserName": "VARCHAR", "TargetOutboundDomainName": "VARCHAR"}') AS field
    FROM event WHERE event_id = 4624 AND provider = 'Microsoft-Windows-Security-Auditing'
)
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
    as_integer(field.IpPort) AS port,
    known(workstation_name) AS workstation, -- what the client says of itself; Kerberos gives none
    known(field.LogonProcessName) AS logon_process,
    known(authentication_package_name) AS authentication_package,
    known(field.LmPackageName) AS lm_package,
    as_integer(field.KeyLength) AS key_length,
    clean_guid(field.LogonGuid) AS logon_guid,
    known(field.TransmittedServices) AS transmitted_services,
    CASE field.ImpersonationLevel
        WHEN '%%1831' THEN 'anonymous' WHEN '%%1832' THEN 'identification' WHEN '%%1833' THEN 'impersonation'
        WHEN '%%1840' THEN 'delegation' END AS impersonation_level,
    known(subject_user_name) AS subject_user_name, known(subject_domain_name) AS subject_user_domain,
    subject_logon_id,
    as_integer(field.ProcessId) AS process_id,
    known(process_name) AS process_name,
    CASE field.RestrictedAdminMode WHEN '%%1842' THEN true WHEN '%%1843' THEN false END AS is_restricted_admin,
    CASE field.VirtualAccount WHEN '%%1842' THEN true WHEN '%%1843' THEN false END AS is_virtual_account,
    CASE field.ElevatedToken WHEN '%%1842' THEN true WHEN '%%1843' THEN false END AS is_elevated,
    nullif(as_integer(field.TargetLinkedLogonId), 0) AS linked_logon_id,   -- the other half of a UAC split
    known(field.TargetOutboundUserName) AS outbound_user_name,             -- type 9: whose credentials go out
    known(field.TargetOutboundDomainName) AS outbound_user_domain
FROM record
