-- ---
-- id = "remoting_witness"
-- title = "Witnesses of remoting sessions"
-- description = """Each event that shows something of a remoting session: its role, and the rule that linked it. One event may be a
-- witness of two sessions only where the rule says so (a ticket serves several)."""
-- [columns]
-- session_id = "row of remoting_session"
-- event_key = "the event"
-- role = "what it shows: client_session, logon, shell, host_process, engine_start, child_process, descendant_process, script_block, ..."
-- rule = "how it was linked"
-- ---
WITH session AS (
    SELECT session.*, core.shell_number, core.process_number, core.engine_number, client.activity_id AS client_activity,
        client.process_id AS client_process_id, client.event_time AS client_time, client.rule AS client_rule
    FROM remoting_session AS session
    LEFT JOIN remoting_core AS core USING (core_number)
    LEFT JOIN remoting_client AS client ON client.event_key = session.client_key
),
host AS (SELECT session_id, remoting_process.* FROM session JOIN remoting_process USING (process_number)),
shell AS (SELECT session_id, remoting_shell.* FROM session JOIN remoting_shell USING (shell_number)),
engine AS (SELECT session_id, remoting_engine.* FROM session JOIN remoting_engine USING (engine_number)),
logon_of AS (
    SELECT session_id, remoting_logon.role, remoting_logon.rule, logon_session.*
    FROM session JOIN remoting_logon USING (core_number) JOIN logon_session ON logon_session.event_keys[1] = remoting_logon.logon_key
),
logon_event AS (
    SELECT session_id, role, rule, source, logon_guid, unnest(event_keys) AS event_key FROM logon_of
),
ticket AS (
    SELECT logon_of.session_id, kerberos_ticket.event_key, kerberos_ticket.event_time, kerberos_ticket.ip, kerberos_ticket.user_name,
        lower(kerberos_ticket.computer) AS computer
    FROM logon_of JOIN kerberos_ticket ON kerberos_ticket.logon_guid = logon_of.logon_guid AND kerberos_ticket.kind = 'service ticket'
        AND logon_of.role <> 'run_as'
),
ancestry AS (SELECT process_key, event_keys, unnest(ancestors) AS ancestor_key FROM process),
witness AS (
    SELECT session_id, unnest(event_keys) AS event_key, 'shell' AS role, 'shell' AS rule FROM shell
    UNION ALL SELECT session_id, unnest(end_keys), 'shell_end', 'shell' FROM shell
    UNION ALL SELECT session_id, unnest(start_keys), 'host_process', 'process after shell' FROM host
    UNION ALL SELECT session_id, unnest(end_keys), 'host_process_end', 'process id' FROM host
    UNION ALL SELECT session_id, unnest(child_keys), 'child_process', 'parent process id' FROM host
    UNION ALL
    SELECT session_id, unnest(ancestry.event_keys), 'descendant_process', 'process tree'
    FROM (SELECT session_id, unnest(child_keys) AS child_key FROM host) AS child JOIN ancestry ON ancestry.ancestor_key = child.child_key
    UNION ALL SELECT session_id, unnest(start_keys), 'engine_start', 'engine after process' FROM engine
    UNION ALL SELECT session_id, unnest(end_keys), 'engine_stop', 'host id' FROM engine
    UNION ALL SELECT session_id, unnest(provider_keys), 'provider', 'host id' FROM engine
    UNION ALL
    SELECT session_id, event_key, CASE event.event_id
            WHEN 4624 THEN CASE logon_event.role WHEN 'run_as' THEN 'run_as_logon' ELSE 'logon' END
            WHEN 4672 THEN CASE logon_event.role WHEN 'run_as' THEN 'run_as_logon' ELSE 'special_logon' END
            WHEN 1 THEN 'logon' ELSE 'logoff' END, rule
    FROM logon_event JOIN counted_event AS event USING (event_key) WHERE source = '4624'
    -- The service uses the stored password of a RunAs endpoint: 0x3e4 is NETWORK SERVICE, as which WinRM runs.
    UNION ALL
    SELECT session_id, explicit.event_key, 'run_as_logon', 'user, by the service'
    FROM session JOIN explicit_credential AS explicit ON lower(explicit.computer) = target_computer AND explicit.subject_logon_id = 996
        AND lower(explicit.user_name) = lower(run_as_user_name)
        AND explicit.event_time BETWEEN session.start_time - INTERVAL 1 SECOND AND session.start_time + INTERVAL 10 SECOND
    UNION ALL SELECT session_id, event_key, 'ticket', 'logon guid' FROM ticket
    UNION ALL
    SELECT session_id, tgt.event_key, 'tgt', 'user and address, 5 s before the ticket'
    FROM ticket JOIN kerberos_ticket AS tgt ON tgt.kind = 'TGT' AND tgt.is_success AND tgt.ip = ticket.ip
        AND lower(tgt.user_name) = lower(ticket.user_name) AND lower(tgt.computer) = ticket.computer
        AND tgt.event_time BETWEEN ticket.event_time - INTERVAL 5 SECOND AND ticket.event_time
    UNION ALL SELECT session_id, client_key, 'client_session', client_rule FROM session WHERE client_key IS NOT NULL
    UNION ALL
    SELECT session_id, winrm.event_key, CASE WHEN winrm.event_id IN (11, 31) THEN 'client_shell' ELSE 'client_close' END, 'activity id'
    FROM session JOIN winrm ON lower(winrm.computer) = source_computer AND winrm.activity_id = client_activity
        AND winrm.event_id IN (8, 11, 16, 31, 33)
    UNION ALL
    SELECT session_id, winrm.event_key, 'winrm_authentication', 'user, shortly before the shell'
    FROM session JOIN winrm ON lower(winrm.computer) = target_computer AND winrm.event_id = 169
        AND lower(account_user(winrm.user_name)) = lower(session.user_name)
        AND winrm.event_time BETWEEN session.start_time - INTERVAL 5 SECOND AND session.start_time + INTERVAL 10 SECOND
    UNION ALL
    SELECT session_id, winrm.event_key, 'virtual_account', 'activity id of the shell'
    FROM session JOIN winrm ON lower(winrm.computer) = target_computer AND winrm.kind = 'runs as virtual account'
        AND winrm.event_time BETWEEN session.start_time - INTERVAL 1 SECOND AND session.start_time + INTERVAL 10 SECOND
        AND run_as_user_name IS NOT NULL
    UNION ALL
    SELECT session_id, explicit.event_key, 'explicit_credential',
        CASE WHEN explicit.target_logon_guid IS NOT NULL THEN 'logon guid' ELSE 'server, user and time' END
    FROM session JOIN explicit_credential AS explicit ON lower(explicit.computer) = source_computer
        AND lower(explicit.user_name) = lower(session.user_name)
        AND explicit.event_time BETWEEN coalesce(client_time, session.start_time) - INTERVAL 5 SECOND
            AND coalesce(client_time, session.start_time) + INTERVAL 60 SECOND
        AND (short_host(explicit.target_server) = short_host(target_computer)
            OR explicit.target_server IN (SELECT target FROM remoting_client WHERE remoting_client.event_key = client_key))
    WHERE explicit.target_logon_guid IS NULL
        OR explicit.target_logon_guid IN (SELECT logon_guid FROM logon_of WHERE logon_of.session_id = session.session_id)
    UNION ALL
    SELECT host.session_id, unnest(script_block.event_keys), 'script_block', 'process id'
    FROM host JOIN script_block ON lower(script_block.computer) = host.computer AND script_block.process_id = host.process_id
        AND script_block.event_time >= coalesce(host.start_time, TIMESTAMP '0001-01-01') AND script_block.event_time <= host.until_time
    UNION ALL
    SELECT engine.session_id, module_log.event_key, 'module_log', 'host id'
    FROM engine JOIN module_log ON lower(module_log.computer) = engine.computer AND module_log.host_id = engine.host_id
    UNION ALL
    SELECT host.session_id, event.event_key, 'console', 'process id'
    FROM host JOIN counted_event AS event ON event.event_id = 53504 AND event.channel = 'Microsoft-Windows-PowerShell/Operational'
        AND lower(event.computer) = host.computer AND event.process_id = host.process_id
        AND event.event_time BETWEEN host.start_time AND host.until_time
    UNION ALL
    SELECT session_id, connection.event_key, 'connection', 'port, address and time'
    FROM session JOIN network_connection AS connection ON lower(connection.computer) = source_computer AND connection.is_outbound
        AND connection.destination_port IN (5985, 5986)
        AND (short_host(connection.destination_host) = short_host(target_computer)
            OR connection.destination_ip IN (SELECT ip FROM host_address WHERE host_address.computer = target_computer))
        AND connection.event_time BETWEEN coalesce(client_time, session.start_time) - INTERVAL 2 SECOND
            AND coalesce(client_time, session.start_time) + INTERVAL 5 SECOND
)
SELECT session_id, event_key, role, any_value(rule ORDER BY rule) AS rule
FROM witness
GROUP BY session_id, event_key, role
ORDER BY session_id, event_key, role
