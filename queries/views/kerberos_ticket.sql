-- ---
-- id = "kerberos_ticket"
-- title = "Kerberos tickets asked for"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Of domain controllers: 4768 (TGT), 4769 (service ticket), 4770 (renewal), 4771 (pre-authentication
-- failed). Failures are in here too: see is_success."""
-- ---
-- 4769 writes TargetUserName as user@REALM; its ServiceName is the computer account (SRV02$) for WinRM, SMB and RPC alike.
-- 4770 has no Status (it only logs success); 4771 only logs failure and no domain.
SELECT
    event_key, event_time, host, computer, event_id,
    CASE event_id WHEN 4768 THEN 'TGT' WHEN 4769 THEN 'service ticket' WHEN 4770 THEN 'renewal'
        ELSE 'pre-authentication failed' END AS kind,
    known(split_part(target_user_name, '@', 1)) AS user_name,
    known(target_domain_name) AS user_domain,
    known(data.TargetSid) AS user_sid,
    known(service_name) AS service_name,
    known(data.ServiceSid) AS service_sid,
    lower(status) AS status,
    status_meaning(status) AS status_meaning,
    coalesce(status, '0x0') = '0x0' AS is_success,
    as_integer(data.TicketOptions) AS ticket_options,       -- 0x20000000 forwarded, 0x20000 constrained delegation
    lower(data.TicketEncryptionType) AS encryption_type,    -- 0x11, 0x12 AES; 0x17, 0x18 RC4
    as_integer(data.PreAuthType) AS pre_auth_type,          -- 0: none asked for
    clean_ip(ip_address) AS ip,
    as_integer(data.IpPort) AS port,
    clean_guid(data.LogonGuid) AS logon_guid,               -- that of the 4624 on the target
    known(data.TransmittedServices) AS transmitted_services,
    known(data.CertThumbprint) AS certificate_thumbprint
FROM (SELECT *, fields(event_data, 'TargetSid, ServiceSid, TicketOptions, TicketEncryptionType, PreAuthType, IpPort, LogonGuid, TransmittedServices, CertThumbprint') AS data FROM counted_event)
WHERE event_id IN (4768, 4769, 4770, 4771) AND provider = 'Microsoft-Windows-Security-Auditing'
