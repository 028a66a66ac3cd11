-- ---
-- id = "remoting_logon"
-- title = "Logons of remoting sessions"
-- description = """Which logons on the target belong to which remoting session. WinRM authenticates each connection, so one session has
-- several; exactly one of them, or none, is the one whose user is the session's."""
-- [columns]
-- core_number = "row of remoting_core"
-- logon_key = "event_key of the 4624, or of the Sysmon event that stands for it"
-- role = "principal: the one that names the session's user; run_as: what the process runs as, if another; connection: further ones"
-- rule = "logon id: the process runs with it; user: the shell's SID; alone: the only network logon shortly before"
-- ---
WITH core AS (
    SELECT core.core_number, core.computer, core.event_time, process.logon_id, shell.user_sid, shell.client_ip,
        coalesce(shell.user_name, account_sid.user_name) AS user_name
    FROM remoting_core AS core
    LEFT JOIN remoting_shell AS shell USING (shell_number)
    LEFT JOIN remoting_process AS process USING (process_number)
    LEFT JOIN account_sid ON account_sid.user_sid = shell.user_sid
),
own AS (
    SELECT core.core_number, logon.event_keys[1] AS logon_key, logon.user_sid, logon.user_name, logon.user_domain, logon.logon_type,
        logon.ip, logon.source
    FROM core JOIN logon_session AS logon ON logon.computer = core.computer AND logon.logon_id = core.logon_id
        AND logon.start_time <= core.event_time + INTERVAL 5 SECOND
        AND core.event_time < coalesce(logon.end_time, TIMESTAMP '9999-01-01')
    QUALIFY row_number() OVER (PARTITION BY core.core_number ORDER BY logon.start_time DESC, logon_key DESC) = 1
),
near AS (
    SELECT core.core_number, core.computer, core.event_time, core.user_sid AS shell_sid, core.client_ip, logon.event_keys[1] AS logon_key,
        logon.user_sid, logon.user_name, logon.ip, logon.start_time
    FROM core JOIN logon_session AS logon ON logon.computer = core.computer AND logon.logon_type IN (3, 8)
        AND logon.start_time BETWEEN core.event_time - INTERVAL 10 SECOND AND core.event_time + INTERVAL 2 SECOND
        AND NOT is_machine_account(logon.user_name)
),
-- The process runs with a network logon of the shell's user: nothing else needs to be asked. Sysmon knows no type and no
-- SID of a logon; its user must be the shell's, as far as that is known, and no virtual account.
own_principal AS (
    SELECT core_number, logon_key FROM own JOIN core USING (core_number)
    WHERE (own.logon_type IN (3, 8) AND (core.user_sid IS NULL OR core.user_sid = own.user_sid))
        OR (own.source = 'Sysmon' AND own.user_name = coalesce(core.user_name, own.user_name)
            AND own.user_domain IS DISTINCT FROM 'WinRM Virtual Users')
),
principal AS (
    SELECT core_number, logon_key, 'logon id' AS rule FROM own_principal
    UNION ALL
    SELECT core_number, arg_max(logon_key, (start_time, logon_key)), 'user' FROM near
    WHERE shell_sid = user_sid
        AND core_number NOT IN (SELECT core_number FROM own_principal)
    GROUP BY core_number
    UNION ALL
    SELECT core_number, arg_max(logon_key, (start_time, logon_key)), 'alone' FROM near
    WHERE shell_sid IS NULL AND core_number NOT IN (SELECT core_number FROM own)
    GROUP BY core_number HAVING count(DISTINCT user_sid) = 1
),
named AS (
    SELECT principal.*, logon.user_sid, logon.ip FROM principal JOIN logon_session AS logon ON logon.event_keys[1] = principal.logon_key
),
-- Of several sessions of one user the one that follows soonest.
connection AS (
    SELECT near.core_number, near.logon_key, 'user' AS rule
    FROM near JOIN named ON named.core_number = near.core_number AND named.user_sid = near.user_sid
        AND named.ip IS NOT DISTINCT FROM near.ip
    WHERE near.logon_key NOT IN (SELECT logon_key FROM principal)
    QUALIFY row_number() OVER (
        PARTITION BY near.logon_key
        ORDER BY near.start_time > near.event_time, abs(epoch_ms(near.event_time) - epoch_ms(near.start_time)), near.core_number) = 1
)
SELECT core_number, logon_key, 'principal' AS role, rule FROM principal
UNION ALL
SELECT core_number, logon_key, 'run_as', 'logon id' FROM own
WHERE (core_number, logon_key) NOT IN (SELECT (core_number, logon_key) FROM principal)
UNION ALL
SELECT core_number, logon_key, 'connection', rule FROM connection
ORDER BY core_number, logon_key
