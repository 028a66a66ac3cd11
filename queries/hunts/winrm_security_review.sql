-- ---
-- id = "winrm_security_review"
-- title = "The WinRM security page, statement by statement"
-- description = """What Microsoft says of the security of PowerShell Remoting, and what this case says to each of its 19 statements: witnessed,
-- violated (with the events), or not observable (why). Not observable is an answer: nothing here speaks for or against it."""
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/winrm-security"]
-- ---
WITH statement(number, says, silent) AS (VALUES
    (1, 'Remoting is on by default on servers since 2012 R2, off on workstations', 'no start of the listener (10148) is logged'),
    (2, 'Remoting is not the same as the -ComputerName of cmdlets, which use RPC', 'no shell (91) and no remote engine (400) is logged'),
    (3, 'It listens on 5985 (HTTP) and 5986 (HTTPS)', 'connections are not logged (Sysmon 3, 5156, WinRM 6)'),
    (4, 'Only administrators may use it by default', 'no session with its logon is logged'),
    (5, 'A session runs as its user', 'no host process with its user is logged'),
    (6, 'On public networks only the own subnet gets in', 'no source address is logged'),
    (7, 'The service runs as Network Service', 'no start of the service host, and nobody who listens on its ports, is logged'),
    (8, 'Each user has an isolated host process', 'no wsmprovhost.exe or winrshost.exe is logged'),
    (9, 'Events tell of it: WinRM 6, 81, 91, 134, 169, PowerShell 400, 403, 4103', 'none of these events is in the case'),
    (10, 'What is sent is always encrypted', 'no event tells how a message was encrypted; only settings that would allow otherwise are seen'),
    (11, 'By name Kerberos authenticates', 'no session with its authentication is logged'),
    (12, 'Kerberos hands no credential over that serves again', 'no session with its logon is logged'),
    (13, 'By address, or without a domain, NTLM authenticates', 'no session by NTLM is logged'),
    (14, 'NTLM does not prove who the server is', 'no event tells of a server that is not the one it says'),
    (15, 'NTLM is refused unless the server is trusted or HTTPS is used', 'no refusal and no list of trusted hosts is logged'),
    (16, 'With HTTPS a certificate proves who the server is', 'no connection to 5986 is logged'),
    (17, 'TrustedHosts only silences the error: it makes no trust', 'no change of the list is logged'),
    (18, 'The second hop is impossible by default', 'no session is logged from which somebody tried to go on'),
    (19, 'Ways around it: CredSSP, delegation, endpoints that run as another, credentials inside the session', 'no second hop is logged')
),
session AS (
    SELECT session.*, logon.event_keys[1] AS logon_key, logon.is_privileged, logon.is_elevated, logon.impersonation_level
    FROM remoting_session AS session
    LEFT JOIN remoting_logon AS own ON own.core_number = session.core_number AND own.role = 'principal'
    LEFT JOIN logon_session AS logon ON logon.event_keys[1] = own.logon_key AND logon.source = '4624'
),
setting AS (
    SELECT event_key, key_path AS what, coalesce(new_value, '') AS value FROM registry_change
    WHERE kind = 'set' AND (key_path ILIKE '%\WSMAN\%' OR key_path ILIKE '%\WinRM\%')
    UNION ALL
    SELECT event_key, text, '' FROM command_text WHERE text ILIKE '%wsman:%' AND text ILIKE '%set-%' AND len(text) < 4000
),
known_to(number, is_violation, event_key, note) AS (
    SELECT 1, false, event_key, 'the listener started' FROM counted_event WHERE event_id = 10148 AND channel = 'System'
    UNION ALL SELECT 2, false, event_key, 'a shell was opened' FROM winrm WHERE event_id = 91
    UNION ALL SELECT 2, false, event_key, 'a remote engine started' FROM powershell_engine WHERE event_id = 400 AND host_name = 'ServerRemoteHost'
    UNION ALL SELECT 3, false, event_key, 'port ' || destination_port FROM network_connection WHERE destination_port IN (5985, 5986)
    UNION ALL SELECT 4, coalesce(NOT is_privileged AND is_elevated = false, false), logon_key,
        CASE WHEN is_privileged THEN 'an administrator''s session' ELSE user_name || ' has no administrator''s rights' END
        FROM session WHERE logon_key IS NOT NULL AND (is_privileged OR is_elevated = false)
    UNION ALL SELECT 5, run_as_user_name IS NOT NULL, start_keys[1],
        coalesce(session.user_name || ' runs as ' || run_as_user_name, 'the process runs as its user')
        FROM session JOIN remoting_core USING (core_number) JOIN remoting_process USING (process_number) WHERE len(start_keys) > 0
    UNION ALL SELECT 6, NOT is_private_ip(source_ip)
            -- Public addresses of the case's own computers, and their neighbours, are no strangers.
            AND neighbourhood(source_ip) NOT IN (SELECT neighbourhood(ip) FROM host_address), logon_key,
        'from ' || source_ip FROM session WHERE source_ip IS NOT NULL AND logon_key IS NOT NULL
    UNION ALL SELECT 7, file_name(image) NOT IN ('system', 'svchost.exe'), event_key, image || ' listens on ' || destination_port
        FROM network_connection WHERE NOT is_outbound AND destination_port IN (5985, 5986)
    UNION ALL SELECT 8, parent_program IS NOT NULL AND parent_program <> 'svchost.exe', event_key, program || ' below ' || coalesce(parent_program, 'an unlogged parent')
        FROM process_start WHERE program IN ('wsmprovhost.exe', 'winrshost.exe')
    UNION ALL SELECT 9, false, event_key, 'WinRM ' || event_id FROM winrm WHERE event_id IN (6, 81, 91, 134, 169)
    UNION ALL SELECT 9, true, event_key, 'a log was cleared' FROM log_cleared
    UNION ALL SELECT 10, true, event_key, excerpt(what, 100) FROM setting WHERE regexp_matches(what, '(?i)unencrypted|auth_basic|allowbasic') AND NOT regexp_matches(value, '(?i)0x0+\)|false')
    UNION ALL SELECT 10, true, event_key, 'Basic authentication' FROM winrm WHERE upper(authentication_mechanism) = 'BASIC'
    UNION ALL SELECT 11, authentication_package = 'NTLM' AND contains(target_computer, '.') AND lower(user_domain) <> short_host(target_computer), logon_key,
        authentication_package FROM session WHERE logon_key IS NOT NULL
    UNION ALL SELECT 12, logon_type = 8 OR (impersonation_level = 'delegation' AND target_computer NOT IN (SELECT computer FROM domain_controller)), logon_key,
        CASE WHEN logon_type = 8 THEN 'the password itself was handed over' ELSE coalesce(impersonation_level, 'network logon') END
        FROM session WHERE logon_key IS NOT NULL AND authentication_package <> 'NTLM'
    UNION ALL SELECT 13, false, logon_key, 'NTLM' FROM session WHERE logon_key IS NOT NULL AND authentication_package = 'NTLM'
    UNION ALL SELECT 15, false, event_key, kind FROM winrm WHERE event_id = 164
    UNION ALL SELECT unnest([15, 17]), trim(value) = '*' OR regexp_matches(what, '(?i)-value\s+["'']?\*'), event_key, excerpt(trim(what || ' ' || value), 100)
        FROM setting WHERE regexp_matches(what, '(?i)trusted_?hosts')
    UNION ALL SELECT 16, false, event_key, 'port 5986' FROM network_connection WHERE destination_port = 5986
    UNION ALL SELECT 16, true, event_key, excerpt(text, 100) FROM command_text WHERE regexp_matches(text, '(?i)-skip(ca|cn|revocation)check')
    UNION ALL SELECT 18, NOT is_failed, unnest(event_keys), CASE WHEN is_failed THEN 'refused' ELSE replace(method, '_', ' ') || ' to ' || to_computer END FROM hop
    UNION ALL SELECT 19, false, unnest(event_keys), replace(method, '_', ' ') || ' to ' || to_computer FROM hop WHERE NOT is_failed
)
SELECT number, says AS statement,
    CASE WHEN bool_or(is_violation) THEN 'violated' WHEN count(event_key) > 0 THEN 'witnessed' ELSE 'not observable' END AS verdict,
    CASE WHEN bool_or(is_violation) THEN name_list(list(note) FILTER (is_violation), 4)
         WHEN count(event_key) > 0 THEN name_list(list(note), 4) ELSE silent END AS because,
    coalesce(list_sort(list(DISTINCT event_key) FILTER (event_key IS NOT NULL AND (is_violation OR NOT any_violation))), []) AS event_keys
FROM (SELECT *, coalesce(bool_or(is_violation) OVER (PARTITION BY number), false) AS any_violation FROM statement LEFT JOIN known_to USING (number))
GROUP BY number, says, silent
ORDER BY number
