-- ---
-- id = "remoting_session"
-- title = "Remoting sessions"
-- description = """One row a PowerShell Remoting, winrs or other WSMan session, from whatever its two ends logged. What each row rests
-- on is in remoting_witness."""
-- [columns]
-- session_id = "in the order of time; an id within this case"
-- kind = "powershell, winrs, other"
-- source_computer = "the client, lower case; NULL: not known by name"
-- source_ip = "its address; NULL: not logged"
-- source_user_name = "who sat at the client, not whose credentials were used; NULL: not logged"
-- target_computer = "the server, lower case"
-- user_name = "who was authenticated on the target"
-- user_domain = "of user_name"
-- user_sid = "of user_name"
-- run_as_user_name = "what the session runs as, if another: virtual account (JEA) or RunAs"
-- authentication_package = "Kerberos, NTLM, Negotiate (type 8: CredSSP or Basic), as logged"
-- logon_type = "3 network, 8 network cleartext: the password went along; NULL: no logon was logged"
-- target_logon_id = "what the session's process runs with"
-- resource_uri = "of the shell; NULL: not logged"
-- host_process_id = "wsmprovhost.exe or winrshost.exe on the target"
-- start_time = "first witness on the target's clock; on the source's, if only the source logged anything"
-- end_time = "last sign of the session; NULL: not seen"
-- end_reason = "closed, killed (its process ended without a 403), reboot, unknown"
-- script_blocks = "4104 of its process: whole blocks"
-- commands = "4103 and 800 of its engine"
-- child_processes = "programs started by its process"
-- witness_count = "kinds of witnesses: shell, process, engine, logon, client"
-- confidence = "high, medium, low"
-- reason = "which kinds there are, and how source and target were linked"
-- core_number = "row of remoting_core; NULL: the source alone logged it"
-- client_key = "event_key of the source's WinRM 6; NULL: not logged"
-- ---
-- confidence: high if three kinds of witnesses agree, medium for two, low for one. The kinds are independent: WinRM,
-- process creation, PowerShell and the Security log write them, and the client is another computer.
WITH script AS (
    SELECT lower(computer) AS computer, process_id, event_time FROM script_block
),
command AS (
    SELECT lower(computer) AS computer, host_id, count(*) AS commands FROM module_log WHERE host_id IS NOT NULL GROUP BY ALL
),
closed AS (
    SELECT lower(computer) AS computer, activity_id, max(event_time) AS event_time FROM winrm WHERE event_id IN (8, 16, 33) GROUP BY ALL
),
on_target AS (
    SELECT core.core_number, core.computer AS target_computer, core.event_time,
        shell.shell_number, shell.kind AS shell_kind, shell.resource_uri, shell.user_sid AS shell_sid, shell.end_time AS shell_end,
        coalesce(shell.user_name, account_sid.user_name) AS shell_user, coalesce(shell.user_domain, account_sid.user_domain) AS shell_domain,
        shell.client_ip,
        process.process_number, process.program, process.process_id, process.logon_id, process.user_name AS process_user,
        process.user_domain AS process_domain, process.start_time AS process_start, process.end_time AS process_end,
        process.until_time, coalesce(process.child_processes, 0) AS child_processes,
        engine.engine_number, engine.host_id, engine.end_time AS engine_end, len(engine.start_keys) > 0 AS is_engine_start_seen,
        logon.user_name AS logon_user, logon.user_domain AS logon_domain, logon.user_sid AS logon_sid, logon.ip AS logon_ip,
        logon.logon_type, logon.authentication_package, logon.logon_id AS principal_logon_id, logon.start_time AS logon_start,
        logon.end_time AS logon_end, logon.end_reason AS logon_end_reason, logon.source AS logon_source, principal.rule AS logon_rule,
        coalesce(boot.shutdown_time, boot.end_time) AS boot_end,
        client.event_key AS client_key, client.computer AS client_computer, client.user_sid AS client_sid, client.rule AS client_rule,
        closed.event_time AS closed_time
    FROM remoting_core AS core
    LEFT JOIN remoting_shell AS shell USING (shell_number)
    LEFT JOIN remoting_process AS process USING (process_number)
    LEFT JOIN remoting_engine AS engine USING (engine_number)
    LEFT JOIN account_sid ON account_sid.user_sid = shell.user_sid
    LEFT JOIN remoting_logon AS principal ON principal.core_number = core.core_number AND principal.role = 'principal'
    LEFT JOIN logon_session AS logon ON logon.event_keys[1] = principal.logon_key
    LEFT JOIN boot_session AS boot ON boot.computer = core.computer
        AND core.event_time >= coalesce(boot.start_time, TIMESTAMP '0001-01-01')
        AND core.event_time < coalesce(boot.end_time, TIMESTAMP '9999-01-01')
    LEFT JOIN remoting_client AS client ON client.core_number = core.core_number
    LEFT JOIN closed ON closed.computer = client.computer AND closed.activity_id = client.activity_id
),
first_connection AS (
    SELECT core_number, min(logon.start_time) AS start_time
    FROM remoting_logon JOIN logon_session AS logon ON logon.event_keys[1] = logon_key
    WHERE logon.source = '4624' AND role <> 'run_as' GROUP BY core_number
),
scripts AS (
    SELECT core_number, count(*) AS script_blocks
    FROM on_target JOIN script ON script.computer = target_computer AND script.process_id = on_target.process_id
        AND script.event_time >= coalesce(process_start, on_target.event_time) AND script.event_time <= until_time
    GROUP BY core_number
),
kinds AS (
    SELECT on_target.*, first_connection.start_time AS first_logon,
        list_filter([
            CASE WHEN shell_number IS NOT NULL THEN 'shell' END,
            CASE WHEN process_number IS NOT NULL THEN 'process' END,
            CASE WHEN engine_number IS NOT NULL THEN 'engine' END,
            CASE WHEN logon_source = '4624' THEN 'logon' END,
            CASE WHEN client_key IS NOT NULL THEN 'client' END], lambda kind: kind IS NOT NULL) AS witnesses
    FROM on_target LEFT JOIN first_connection USING (core_number)
),
target_row AS (
    SELECT
        CASE WHEN shell_kind = 'winrs' OR program = 'winrshost.exe' THEN 'winrs' WHEN shell_kind = 'other' THEN 'other'
             ELSE 'powershell' END AS kind,
        coalesce(client_computer, (
            SELECT min(computer) FROM host_address
            WHERE ip = coalesce(client_ip, logon_ip) AND NOT is_conflicting)) AS source_computer,
        coalesce(client_ip, logon_ip) AS source_ip,
        (SELECT user_name FROM account_sid WHERE user_sid = client_sid) AS source_user_name,
        target_computer,
        coalesce(logon_user, shell_user, process_user) AS user_name,
        CASE WHEN logon_user IS NOT NULL THEN logon_domain WHEN shell_user IS NOT NULL THEN shell_domain
             ELSE process_domain END AS user_domain,
        coalesce(logon_sid, shell_sid) AS user_sid,
        CASE WHEN lower(process_user) <> lower(coalesce(logon_user, shell_user)) THEN process_user END AS run_as_user_name,
        authentication_package, logon_type,
        coalesce(logon_id, principal_logon_id) AS target_logon_id,
        resource_uri, process_id AS host_process_id,
        least(event_time, first_logon) AS start_time,
        coalesce(process_end, engine_end, shell_end, CASE WHEN logon_rule = 'logon id' THEN logon_end END, boot_end, closed_time) AS end_time,
        CASE
            WHEN engine_end IS NOT NULL OR shell_end IS NOT NULL OR closed_time IS NOT NULL THEN 'closed'
            WHEN process_end IS NOT NULL AND is_engine_start_seen THEN 'killed'
            WHEN process_end IS NOT NULL THEN 'closed'
            WHEN boot_end IS NOT NULL AND coalesce(logon_end_reason, 'reboot') = 'reboot' THEN 'reboot'
            WHEN logon_end_reason = 'logoff' AND logon_rule = 'logon id' THEN 'closed'
            ELSE 'unknown' END AS end_reason,
        coalesce(scripts.script_blocks, 0) AS script_blocks,
        coalesce(command.commands, 0) AS commands,
        child_processes,
        len(witnesses) AS witness_count,
        CASE WHEN len(witnesses) >= 3 THEN 'high' WHEN len(witnesses) = 2 THEN 'medium' ELSE 'low' END AS confidence,
        array_to_string(witnesses, ', ') || coalesce('; client linked by ' || client_rule, '') || coalesce('; logon by ' || logon_rule, '')
            AS reason,
        kinds.core_number, client_key
    FROM kinds
    LEFT JOIN scripts USING (core_number)
    LEFT JOIN command ON command.computer = target_computer AND command.host_id = kinds.host_id
),
-- Sessions to hosts whose logs are not in the case: the client's word alone.
source_row AS (
    SELECT CASE WHEN winrm.connection ILIKE '%PSVersion=%' THEN 'powershell' ELSE 'other' END AS kind,
        client.computer AS source_computer,
        (SELECT min(ip) FROM host_address WHERE host_address.computer = client.computer AND NOT is_conflicting) AS source_ip,
        (SELECT user_name FROM account_sid WHERE account_sid.user_sid = client.user_sid) AS source_user_name,
        client.target AS target_computer, NULL AS user_name, NULL AS user_domain, NULL AS user_sid, NULL AS run_as_user_name,
        NULL AS authentication_package, NULL AS logon_type, NULL AS target_logon_id, NULL AS resource_uri, NULL AS host_process_id,
        client.event_time AS start_time, closed.event_time AS end_time,
        CASE WHEN closed.event_time IS NULL THEN 'unknown' ELSE 'closed' END AS end_reason,
        0 AS script_blocks, 0 AS commands, 0 AS child_processes, 1 AS witness_count, 'low' AS confidence,
        'client; the target''s logs are not in the case' AS reason, NULL AS core_number, client.event_key AS client_key
    FROM remoting_client AS client JOIN winrm USING (event_key)
    LEFT JOIN closed ON closed.computer = client.computer AND closed.activity_id = client.activity_id
    WHERE client.core_number IS NULL AND NOT client.is_failed AND client.target_computer IS NULL
)
SELECT row_number() OVER (ORDER BY start_time, target_computer, core_number, client_key) AS session_id, *
FROM (FROM target_row UNION ALL BY NAME FROM source_row)
ORDER BY session_id
