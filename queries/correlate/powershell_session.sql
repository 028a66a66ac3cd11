-- ---
-- id = "powershell_session"
-- title = "PowerShell sessions"
-- description = """One row a PowerShell engine, local or remote, of any version: 400, 403, 600, 800 and 4103 by HostId, with the script
-- blocks (4104) of its process. A process that only wrote script blocks is a row without host_id."""
-- [columns]
-- powershell_session_id = "in the order of time; an id within this case"
-- computer = "lower case"
-- host_id = "joins 400, 403, 600, 800 and 4103; NULL: only the process is known"
-- runspace_id = "of its engine"
-- process_id = "powershell.exe, wsmprovhost.exe or another that hosts it; NULL: nothing tells"
-- process_rule = "4103 (has both ids), command line (400's HostApplication is that of one start), script block, console"
-- is_remoting = "ServerRemoteHost: a remoting session on this computer"
-- host_name = "ConsoleHost, ServerRemoteHost, Windows PowerShell ISE Host, ..."
-- host_application = "command line of the process, as PowerShell knows it"
-- engine_version = "of PowerShell"
-- user_name = "as 4103 and 800 tell; NULL: neither was logged"
-- start_time = "400, else its first record"
-- end_time = "403; NULL: not seen"
-- last_time = "of its last record"
-- script_blocks = "4104: whole blocks"
-- commands = "4103 and 800"
-- event_keys = "400, 403 and 600; of a process without engine events its first record"
-- ---
WITH engine AS (
    SELECT lower(computer) AS computer, host_id,
        min(event_time) FILTER (event_id = 400) AS start_time, max(event_time) FILTER (event_id = 403) AS end_time,
        min(event_time) AS first_time, max(event_time) AS last_time,
        arg_min(runspace_id, event_key) AS runspace_id, arg_min(host_name, event_key) AS host_name,
        arg_min(host_application, event_key) AS host_application, arg_min(engine_version, event_key) AS engine_version,
        list_sort(list(event_key)) AS event_keys
    FROM powershell_engine WHERE host_id IS NOT NULL GROUP BY ALL
),
module AS (
    SELECT lower(computer) AS computer, host_id, count(*) AS commands, min(event_time) AS first_time, max(event_time) AS last_time,
        arg_min(runspace_id, event_key) AS runspace_id, arg_min(host_name, event_key) AS host_name,
        arg_min(host_application, event_key) AS host_application, arg_min(engine_version, event_key) AS engine_version,
        arg_min(user_name, event_key) AS user_name, arg_min(process_id, event_key) AS process_id, min(event_key) AS first_key
    FROM module_log WHERE host_id IS NOT NULL GROUP BY ALL
),
hosted AS (
    SELECT coalesce(engine.computer, module.computer) AS computer, coalesce(engine.host_id, module.host_id) AS host_id,
        coalesce(engine.runspace_id, module.runspace_id) AS runspace_id, module.process_id,
        coalesce(engine.host_name, module.host_name) AS host_name, coalesce(engine.host_application, module.host_application) AS host_application,
        coalesce(engine.engine_version, module.engine_version) AS engine_version, module.user_name,
        coalesce(engine.start_time, least(engine.first_time, module.first_time)) AS start_time, engine.end_time,
        greatest(engine.last_time, module.last_time) AS last_time, coalesce(commands, 0) AS commands,
        coalesce(engine.event_keys, [module.first_key]) AS event_keys
    FROM engine FULL JOIN module ON module.computer = engine.computer AND module.host_id = engine.host_id
),
-- 400 comes some seconds after the start of its process; the same command line twice within that time tells nothing.
by_command_line AS (
    SELECT hosted.computer, hosted.host_id, min(process.process_id) AS process_id
    FROM hosted JOIN process ON process.computer = hosted.computer
        AND lower(trim(process.command_line)) = lower(trim(hosted.host_application))
        AND hosted.start_time BETWEEN process.start_time AND process.start_time + INTERVAL 60 SECOND
    WHERE hosted.process_id IS NULL
    GROUP BY ALL HAVING count(*) = 1
),
-- 40961 (console starting) and 53504 (listening to the debugger's pipe) are written by the PowerShell process itself.
ready AS (
    SELECT lower(computer) AS computer, process_id, event_time FROM counted_event
    WHERE channel IN ('Microsoft-Windows-PowerShell/Operational', 'PowerShellCore/Operational') AND event_id IN (40961, 53504)
),
by_console AS (
    SELECT hosted.computer, hosted.host_id, min(ready.process_id) AS process_id
    FROM hosted JOIN ready ON ready.computer = hosted.computer
        AND ready.event_time BETWEEN hosted.start_time - INTERVAL 10 SECOND AND hosted.start_time + INTERVAL 10 SECOND
    WHERE hosted.process_id IS NULL
    GROUP BY ALL HAVING count(DISTINCT ready.process_id) = 1
),
engine_session AS (
    SELECT hosted.* REPLACE (coalesce(hosted.process_id, by_command_line.process_id, by_console.process_id) AS process_id),
        CASE WHEN hosted.process_id IS NOT NULL THEN '4103' WHEN by_command_line.process_id IS NOT NULL THEN 'command line'
             WHEN by_console.process_id IS NOT NULL THEN 'console' END AS process_rule
    FROM hosted LEFT JOIN by_command_line USING (computer, host_id) LEFT JOIN by_console USING (computer, host_id)
),
block AS (
    SELECT lower(computer) AS computer, process_id, event_time, event_key, script_block_id FROM script_block
),
-- The block belongs to the last engine of its process that began before it, or at most ten seconds after.
block_of AS (
    SELECT block.*, session.host_id
    FROM block ASOF LEFT JOIN (SELECT computer, process_id, host_id, start_time - INTERVAL 10 SECOND AS from_time, coalesce(end_time, TIMESTAMP '9999-01-01') AS until_time
            FROM engine_session WHERE process_id IS NOT NULL) AS session
        ON session.computer = block.computer AND session.process_id = block.process_id AND block.event_time >= session.from_time
),
scripts AS (
    SELECT computer, host_id, count(*) AS script_blocks, max(event_time) AS last_time FROM block_of WHERE host_id IS NOT NULL GROUP BY ALL
),
process_only AS (
    SELECT block_of.computer, block_of.process_id, min(block_of.event_time) AS start_time, max(block_of.event_time) AS last_time,
        count(*) AS script_blocks, min(block_of.event_key) AS first_key,
        arg_min(process.command_line, block_of.event_key) AS host_application, arg_min(process.user_name, block_of.event_key) AS user_name,
        arg_min(process.end_time, block_of.event_key) AS end_time, bool_or(process.program = 'wsmprovhost.exe') AS is_remoting
    FROM block_of ASOF LEFT JOIN process ON process.computer = block_of.computer AND process.process_id = block_of.process_id
        AND block_of.event_time >= process.start_time
    WHERE host_id IS NULL
    GROUP BY block_of.computer, block_of.process_id, process.process_key
),
everything AS (
    SELECT computer, host_id, runspace_id, process_id, process_rule,
        coalesce(host_name = 'ServerRemoteHost' OR host_application ILIKE '%wsmprovhost.exe%', false) AS is_remoting, host_name, host_application,
        engine_version, user_name, start_time, end_time, greatest(engine_session.last_time, scripts.last_time) AS last_time,
        coalesce(script_blocks, 0) AS script_blocks, commands, event_keys
    FROM engine_session LEFT JOIN scripts USING (computer, host_id)
    UNION ALL
    SELECT computer, NULL, NULL, process_id, 'script block', coalesce(is_remoting, false), NULL, host_application, NULL, user_name, start_time,
        end_time, last_time, script_blocks, 0, [first_key]
    FROM process_only
)
SELECT row_number() OVER (ORDER BY start_time, computer, host_id, process_id) AS powershell_session_id, *
FROM everything
ORDER BY powershell_session_id
