-- ---
-- id = "logon_session"
-- title = "Logon sessions"
-- description = """One row a logon: 4624, with the privileges (4672) and the end (4634, 4647) that belong to the same logon id
-- of the same uptime, and the 4648 of the computer where its password was given. Where the Security log has no 4624, Sysmon's LogonGuid still tells when and under which id."""
-- [columns]
-- computer = "where, lower case"
-- boot_number = "see boot_session: a logon id is unique within it"
-- logon_id = "hexadecimal in the events"
-- user_name = "who"
-- user_domain = "domain or computer that knows the account"
-- user_sid = "its SID"
-- logon_type = "2 interactive, 3 network, 8 network cleartext, 9 new credentials, 10 remote interactive, ..."
-- authentication_package = "Kerberos, NTLM, Negotiate"
-- ip = "address of the client; NULL: not logged"
-- port = "its port"
-- workstation = "what an NTLM client says of itself"
-- logon_guid = "equals the 4769 of the Kerberos ticket"
-- transmitted_services = "services of constrained delegation"
-- impersonation_level = "delegation: the client's ticket came along"
-- is_virtual_account = "WinRM virtual accounts and other S-1-5-8x, 9x"
-- is_elevated = "administrator's token; NULL: not logged before Windows 10"
-- is_privileged = "4672 followed"
-- linked_logon_id = "the other half of an administrator's interactive logon"
-- start_time = "of the 4624; from Sysmon's LogonGuid, to the second, where there is none"
-- end_time = "4634 or 4647, or the next boot; NULL: not seen"
-- end_reason = "logoff, reboot"
-- source = "4624 or Sysmon"
-- credential_computer = "where its credentials were given (4648), lower case; NULL: no 4648 fits"
-- credential_user_name = "who gave them there"
-- credential_logon_id = "logon id of who gave them there, on credential_computer"
-- credential_key = "event_key of the 4648"
-- credential_rule = "logon guid (the same in both events); server, user and time (the nearest 4648 up to 60 s before)"
-- event_keys = "the events of this row"
-- ---
-- A 4648 and the 4624 of its logon carry the same LogonGuid with Kerberos. NTLM has none: then the name or address of the server
-- must fit, and the time. One 4648 may stand for several logons, since WinRM and SMB authenticate each connection.
-- Sysmon's LogonGuid holds machine, second of the logon and logon id: DFAE8213-BEAD-5CDC-0000-0020AFDA1500 is 0x5CDCBEAD,
-- 0x15DAAF (checked against 4624 in real logs).
WITH boot AS (SELECT * FROM boot_session),
seen AS (
    SELECT event_key, event_time, lower(computer) AS computer, user_name, user_domain, user_sid, logon_id, logon_type,
        authentication_package, ip, port, workstation, logon_guid, transmitted_services, impersonation_level,
        is_virtual_account, is_elevated, linked_logon_id, '4624' AS source
    FROM logon
    WHERE logon_id NOT IN (0, 996, 997, 999)  -- 0x3e4, 0x3e5, 0x3e7 are the services' own, all the time
),
decoded AS (
    SELECT min(event_key) AS event_key,
        -- DFAE8213-BEAD-5CDC: the second stands in the second and third group, low half first.
        make_timestamp(TRY_CAST('0x' || substr(guid, 15, 4) || substr(guid, 10, 4) AS BIGINT) * 1000000) AS event_time,
        computer, arg_min(user_name, event_key) AS user_name,
        arg_min(user_domain, event_key) AS user_domain, logon_id
    FROM (
        SELECT event_key, lower(computer) AS computer, sysmon_logon_guid AS guid, logon_id, user_name, user_domain
        FROM process_start WHERE source = 'Sysmon'
    )
    WHERE regexp_full_match(guid, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}') AND logon_id NOT IN (0, 996, 997, 999)
    GROUP BY computer, guid, logon_id
),
everything AS (
    SELECT * FROM seen
    UNION ALL BY NAME
    SELECT *, 'Sysmon' AS source FROM decoded
    WHERE NOT EXISTS (
        SELECT 1 FROM seen WHERE seen.computer = decoded.computer AND seen.logon_id = decoded.logon_id
            AND seen.event_time BETWEEN decoded.event_time - INTERVAL 5 SECOND AND decoded.event_time + INTERVAL 5 SECOND)
),
placed AS (
    SELECT everything.*, boot.boot_number, boot.end_time AS boot_end, boot.shutdown_time,
        lead(event_time) OVER (PARTITION BY everything.computer, everything.logon_id ORDER BY event_time, event_key) AS next_time
    FROM everything JOIN boot ON boot.computer = everything.computer
        AND event_time >= coalesce(boot.start_time, TIMESTAMP '0001-01-01') AND event_time < coalesce(boot.end_time, TIMESTAMP '9999-01-01')
),
privileged AS (
    SELECT lower(computer) AS computer, subject_logon_id AS logon_id, event_time, event_key
    FROM counted_event WHERE event_id = 4672 AND provider = 'Microsoft-Windows-Security-Auditing'
),
ended AS (
    SELECT lower(computer) AS computer, logon_id, event_time, event_key FROM logoff WHERE logon_id IS NOT NULL
),
-- The first 4672 and the first logoff of that id after the logon and before the id is used again.
with_privilege AS (
    SELECT placed.event_key, min(privileged.event_key) AS privileged_key
    FROM placed JOIN privileged ON privileged.computer = placed.computer AND privileged.logon_id = placed.logon_id
        AND privileged.event_time BETWEEN placed.event_time - INTERVAL 2 SECOND AND placed.event_time + INTERVAL 10 SECOND
    GROUP BY ALL
),
with_end AS (
    SELECT placed.event_key, min(ended.event_time) AS end_time, arg_min(ended.event_key, (ended.event_time, ended.event_key)) AS end_key
    FROM placed JOIN ended ON ended.computer = placed.computer AND ended.logon_id = placed.logon_id
        AND ended.event_time >= placed.event_time
        AND ended.event_time < least(coalesce(placed.boot_end, TIMESTAMP '9999-01-01'), coalesce(placed.next_time, TIMESTAMP '9999-01-01'))
    GROUP BY ALL
),
given AS (
    SELECT explicit.event_key AS credential_key, event_time, lower(explicit.computer) AS credential_computer,
        subject_user_name AS credential_user_name, subject_logon_id AS credential_logon_id, lower(user_name) AS lower_user,
        target_logon_guid, coalesce(host_address.short_name, CASE WHEN is_local THEN short_host(explicit.computer) ELSE short_host(target_server) END) AS server
    FROM explicit_credential AS explicit
    LEFT JOIN host_address ON host_address.ip = clean_ip(target_server) AND NOT host_address.is_conflicting
),
with_credential AS (
    SELECT event_key, credential_computer, credential_user_name, credential_logon_id, credential_key, credential_rule
    FROM (
        SELECT placed.event_key, given.*, 1 AS rank, 'logon guid' AS credential_rule, abs(epoch_ms(placed.event_time) - epoch_ms(given.event_time)) AS distance
        FROM placed JOIN given ON given.target_logon_guid = placed.logon_guid
            -- Kerberos itself refuses clocks that differ by more.
            AND placed.event_time BETWEEN given.event_time - INTERVAL 5 MINUTE AND given.event_time + INTERVAL 5 MINUTE
        UNION ALL
        SELECT placed.event_key, given.*, 2, 'server, user and time', abs(epoch_ms(placed.event_time) - epoch_ms(given.event_time))
        FROM placed JOIN given ON given.server = short_host(placed.computer) AND given.lower_user = lower(placed.user_name)
            AND (given.target_logon_guid IS NULL OR placed.logon_guid IS NULL)
            AND placed.event_time BETWEEN given.event_time - INTERVAL 2 SECOND AND given.event_time + INTERVAL 60 SECOND
    )
    QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY rank, distance, credential_key) = 1
)
SELECT
    placed.computer, placed.boot_number, placed.logon_id, user_name, user_domain, user_sid, logon_type, authentication_package,
    ip, port, workstation, logon_guid, transmitted_services, impersonation_level, is_virtual_account, is_elevated,
    privileged_key IS NOT NULL AS is_privileged,
    linked_logon_id,
    placed.event_time AS start_time,
    coalesce(with_end.end_time, placed.shutdown_time, placed.boot_end) AS end_time,
    CASE WHEN with_end.end_time IS NOT NULL THEN 'logoff' WHEN placed.boot_end IS NOT NULL THEN 'reboot' END AS end_reason,
    source, credential_computer, credential_user_name, credential_logon_id, credential_key, credential_rule,
    list_filter([placed.event_key, privileged_key, end_key], lambda key: key IS NOT NULL) AS event_keys
FROM placed
LEFT JOIN with_privilege USING (event_key)
LEFT JOIN with_end USING (event_key)
LEFT JOIN with_credential USING (event_key)
ORDER BY start_time, placed.computer, placed.logon_id
