-- ---
-- id = "remoting_core"
-- title = "The parts of each remoting session on its target"
-- description = """One row a remoting session as the target's logs show it: which host process, which shell and which engine belong
-- together, one to one. The nearest in time are paired, and only if each is the other's nearest."""
-- [columns]
-- core_number = "in the order of time; an id within this case"
-- computer = "the target, lower case"
-- event_time = "of the first part"
-- shell_number = "row of remoting_shell; NULL: none was logged"
-- process_number = "row of remoting_process; NULL: none was logged"
-- engine_number = "row of remoting_engine; NULL: none was logged, or winrs"
-- ---
-- Windows writes 91, then starts the process, then PowerShell starts its engine: within a second or two on an idle host
-- (order from the WinRM and PowerShell start-up; the limits are ours, for a busy one).
-- Of two sessions that began within a second each may be the other's nearest: what is left gets a second chance.
WITH shell_process_candidate AS (
    SELECT shell.shell_number, process.process_number,
        abs(epoch_ms(process.start_time) - epoch_ms(shell.event_time)) AS distance
    FROM remoting_shell AS shell JOIN remoting_process AS process ON process.computer = shell.computer
        AND process.start_time BETWEEN shell.event_time - INTERVAL 2 SECOND AND shell.event_time + INTERVAL 10 SECOND
        AND (process.program = 'winrshost.exe') = (shell.kind = 'winrs')
),
shell_process_first AS (
    SELECT shell_number, process_number FROM shell_process_candidate
    QUALIFY row_number() OVER (PARTITION BY shell_number ORDER BY distance, process_number) = 1
        AND row_number() OVER (PARTITION BY process_number ORDER BY distance, shell_number) = 1
),
shell_process AS (
    FROM shell_process_first
    UNION ALL
    SELECT shell_number, process_number FROM shell_process_candidate
    WHERE shell_number NOT IN (SELECT shell_number FROM shell_process_first) AND process_number NOT IN (SELECT process_number FROM shell_process_first)
    QUALIFY row_number() OVER (PARTITION BY shell_number ORDER BY distance, process_number) = 1
        AND row_number() OVER (PARTITION BY process_number ORDER BY distance, shell_number) = 1
),
engine_process_candidate AS (
    SELECT engine.engine_number, process.process_number, epoch_ms(engine.start_time) - epoch_ms(process.start_time) AS distance
    FROM remoting_engine AS engine JOIN remoting_process AS process ON process.computer = engine.computer
        AND engine.start_time BETWEEN process.start_time AND process.start_time + INTERVAL 15 SECOND
        AND process.program = 'wsmprovhost.exe'
),
engine_process_first AS (
    SELECT engine_number, process_number FROM engine_process_candidate
    QUALIFY row_number() OVER (PARTITION BY engine_number ORDER BY distance, process_number) = 1
        AND row_number() OVER (PARTITION BY process_number ORDER BY distance, engine_number) = 1
),
engine_process AS (
    FROM engine_process_first
    UNION ALL
    SELECT engine_number, process_number FROM engine_process_candidate
    WHERE engine_number NOT IN (SELECT engine_number FROM engine_process_first) AND process_number NOT IN (SELECT process_number FROM engine_process_first)
    QUALIFY row_number() OVER (PARTITION BY engine_number ORDER BY distance, process_number) = 1
        AND row_number() OVER (PARTITION BY process_number ORDER BY distance, engine_number) = 1
),
engine_shell_candidate AS (
    SELECT engine.engine_number, shell.shell_number, epoch_ms(engine.start_time) - epoch_ms(shell.event_time) AS distance
    FROM remoting_engine AS engine JOIN remoting_shell AS shell ON shell.computer = engine.computer
        AND engine.start_time BETWEEN shell.event_time AND shell.event_time + INTERVAL 25 SECOND AND shell.kind <> 'winrs'
    WHERE engine.engine_number NOT IN (SELECT engine_number FROM engine_process)
        AND shell.shell_number NOT IN (SELECT shell_number FROM shell_process)
),
engine_shell_first AS (
    SELECT engine_number, shell_number FROM engine_shell_candidate
    QUALIFY row_number() OVER (PARTITION BY engine_number ORDER BY distance, shell_number) = 1
        AND row_number() OVER (PARTITION BY shell_number ORDER BY distance, engine_number) = 1
),
engine_shell AS (
    FROM engine_shell_first
    UNION ALL
    SELECT engine_number, shell_number FROM engine_shell_candidate
    WHERE engine_number NOT IN (SELECT engine_number FROM engine_shell_first) AND shell_number NOT IN (SELECT shell_number FROM engine_shell_first)
    QUALIFY row_number() OVER (PARTITION BY engine_number ORDER BY distance, shell_number) = 1
        AND row_number() OVER (PARTITION BY shell_number ORDER BY distance, engine_number) = 1
),
grouped AS (
    SELECT process.computer, shell_number, process_number, engine_number
    FROM remoting_process AS process
    LEFT JOIN shell_process USING (process_number)
    LEFT JOIN engine_process USING (process_number)
    WHERE process.start_time IS NOT NULL
    UNION ALL
    SELECT shell.computer, shell_number, NULL, engine_number
    FROM remoting_shell AS shell LEFT JOIN engine_shell USING (shell_number)
    WHERE shell_number NOT IN (SELECT shell_number FROM shell_process)
    UNION ALL
    SELECT computer, NULL, NULL, engine_number FROM remoting_engine
    WHERE engine_number NOT IN (SELECT engine_number FROM engine_process)
        AND engine_number NOT IN (SELECT engine_number FROM engine_shell)
),
timed AS (
    SELECT grouped.*, row_number() OVER () AS group_number,
        least(shell.event_time, process.start_time, engine.start_time) AS event_time,
        coalesce(engine.end_time, shell.end_time, TIMESTAMP '9999-01-01') AS until_time
    FROM grouped
    LEFT JOIN remoting_shell AS shell USING (shell_number)
    LEFT JOIN remoting_process AS process USING (process_number)
    LEFT JOIN remoting_engine AS engine USING (engine_number)
),
-- A process that only its children show belongs to the last session before them that has none.
childless AS (
    SELECT process.process_number, timed.group_number
    FROM remoting_process AS process JOIN timed ON timed.computer = process.computer AND timed.process_number IS NULL
        AND process.first_child_time BETWEEN timed.event_time AND timed.until_time
    LEFT JOIN remoting_shell AS shell USING (shell_number)
    WHERE process.start_time IS NULL AND (process.program = 'winrshost.exe') = (coalesce(shell.kind, '') = 'winrs')
    QUALIFY row_number() OVER (PARTITION BY process.process_number ORDER BY timed.event_time DESC, timed.group_number) = 1
        AND row_number() OVER (PARTITION BY timed.group_number ORDER BY process.first_child_time, process.process_number) = 1
),
everything AS (
    SELECT computer, event_time, shell_number, coalesce(timed.process_number, childless.process_number) AS process_number, engine_number
    FROM timed LEFT JOIN childless USING (group_number)
    UNION ALL
    SELECT computer, first_child_time, NULL, process_number, NULL FROM remoting_process
    WHERE start_time IS NULL AND process_number NOT IN (SELECT process_number FROM childless)
)
SELECT row_number() OVER (ORDER BY event_time, computer, shell_number, process_number, engine_number) AS core_number,
    computer, event_time, shell_number, process_number, engine_number
FROM everything
ORDER BY core_number
