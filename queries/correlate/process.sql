-- ---
-- id = "process"
-- title = "Processes"
-- description = """One row a started process: 4688 and Sysmon 1 of the same start are one, its end and its parent are found by
-- ProcessGuid or by process id within the parent's lifetime. Descendants of one: WHERE list_contains(ancestors, process_key)."""
-- [columns]
-- process_key = "event_key of its first record: an id within this case"
-- computer = "lower case"
-- boot_number = "see boot_session"
-- process_id = "used again after its end"
-- process_guid = "Sysmon's; NULL: no Sysmon"
-- program = "file name of the image, lower case"
-- image = "path"
-- command_line = "as logged; NULL: not logged"
-- user_name = "as whom it runs"
-- user_domain = "of user_name"
-- logon_id = "hexadecimal in the events"
-- start_time = "of the first record"
-- end_time = "4689 or Sysmon 5; NULL: not seen"
-- parent_key = "process_key of the parent; NULL: its start is not in the logs"
-- parent_program = "as this process's record or the parent's own says"
-- parent_process_id = "as logged"
-- parent_rule = "process guid, process id"
-- ancestors = "process_key of all known ancestors, the parent last"
-- sources = "4688, Sysmon"
-- event_keys = "starts and ends"
-- ---
-- A process id is used again once its process has ended, so a parent is the last process with that id which started
-- before, in the same uptime, and had not ended. It must be the program that the record names, where it names one.
WITH start AS (
    SELECT event_key, event_time, computer_number, process_id, process_guid, program, image, command_line, user_name,
        user_domain, logon_id, parent_process_id, parent_process_guid, parent_program, source
    FROM process_start JOIN computer_name ON computer_name.computer = lower(process_start.computer)
    WHERE process_id IS NOT NULL
),
-- Both sources log a start within tenths of a second; an id is not used again that fast. Each record is in one pair at most.
pair AS (
    SELECT security_key, min(sysmon_key) AS sysmon_key
    FROM (
        SELECT min(security.event_key) AS security_key, sysmon.event_key AS sysmon_key
        FROM start AS security JOIN start AS sysmon ON sysmon.computer_number = security.computer_number
            AND sysmon.process_id = security.process_id AND sysmon.program IS NOT DISTINCT FROM security.program
            AND sysmon.event_time BETWEEN security.event_time - INTERVAL 2 SECOND AND security.event_time + INTERVAL 2 SECOND
        WHERE security.source = '4688' AND sysmon.source = 'Sysmon'
        GROUP BY sysmon.event_key
    )
    GROUP BY security_key
),
instance AS (
    SELECT least(start.event_key, sysmon.event_key) AS process_key, start.computer_number, start.process_id,
        least(start.event_time, sysmon.event_time) AS start_time, coalesce(sysmon.process_guid, start.process_guid) AS process_guid,
        start.program, start.image, coalesce(start.command_line, sysmon.command_line) AS command_line,
        -- A 4688 before Windows 10 names the creator only; Sysmon names the process's own.
        coalesce(sysmon.user_name, start.user_name) AS user_name, coalesce(sysmon.user_domain, start.user_domain) AS user_domain,
        coalesce(sysmon.logon_id, start.logon_id) AS logon_id,
        coalesce(start.parent_process_id, sysmon.parent_process_id) AS parent_process_id,
        coalesce(sysmon.parent_process_guid, start.parent_process_guid) AS parent_process_guid,
        coalesce(start.parent_program, sysmon.parent_program) AS parent_program,
        CASE WHEN sysmon.event_key IS NULL THEN [start.source] ELSE ['4688', 'Sysmon'] END AS sources,
        CASE WHEN sysmon.event_key IS NULL THEN [start.event_key] ELSE list_sort([start.event_key, sysmon.event_key]) END AS start_keys
    FROM start LEFT JOIN pair ON pair.security_key = start.event_key LEFT JOIN start AS sysmon ON sysmon.event_key = pair.sysmon_key
    WHERE start.event_key NOT IN (SELECT sysmon_key FROM pair)
),
stop AS (
    SELECT event_key, event_time, computer_number, as_integer(event_data->>'ProcessId') AS process_id
    FROM event JOIN computer_name ON computer_name.computer = lower(event.computer)
    WHERE (event_id = 4689 AND provider = 'Microsoft-Windows-Security-Auditing') OR (event_id = 5 AND provider = 'Microsoft-Windows-Sysmon')
),
ended AS (
    SELECT process_key, min(event_time) AS end_time, list_sort(list(event_key)) AS end_keys
    FROM stop ASOF JOIN instance ON instance.computer_number = stop.computer_number AND instance.process_id = stop.process_id
        AND stop.event_time >= instance.start_time
    GROUP BY process_key
),
booted AS (
    SELECT computer_number, computer, boot_number, coalesce(start_time, TIMESTAMP '0001-01-01') AS from_time
    FROM boot_session JOIN computer_name USING (computer)
),
lived AS (
    SELECT instance.*, boot_number, end_time, coalesce(end_keys, []) AS end_keys
    FROM instance LEFT JOIN ended USING (process_key)
    ASOF LEFT JOIN booted ON booted.computer_number = instance.computer_number AND instance.start_time >= booted.from_time
),
by_guid AS (
    SELECT child.process_key, min(parent.process_key) AS parent_key
    FROM lived AS child JOIN lived AS parent ON parent.computer_number = child.computer_number AND parent.process_guid = child.parent_process_guid
        AND parent.process_key <> child.process_key
    GROUP BY child.process_key
),
by_id AS (
    SELECT child.process_key, parent.process_key AS parent_key
    FROM lived AS child ASOF JOIN lived AS parent ON parent.computer_number = child.computer_number AND parent.process_id = child.parent_process_id
        AND child.start_time >= parent.start_time
    WHERE parent.process_key <> child.process_key AND parent.boot_number IS NOT DISTINCT FROM child.boot_number
        AND (parent.end_time IS NULL OR parent.end_time >= child.start_time - INTERVAL 1 SECOND)
        AND (child.parent_program IS NULL OR child.parent_program = parent.program)
        AND (child.parent_process_guid IS NULL OR parent.process_guid IS NULL OR child.parent_process_guid = parent.process_guid)
),
linked AS (
    SELECT lived.*, coalesce(by_guid.parent_key, by_id.parent_key) AS parent_key,
        CASE WHEN by_guid.parent_key IS NOT NULL THEN 'process guid' WHEN by_id.parent_key IS NOT NULL THEN 'process id' END AS parent_rule
    FROM lived LEFT JOIN by_guid USING (process_key) LEFT JOIN by_id USING (process_key)
),
-- At most 64 generations: forged records could make chains of any length.
tree AS (
    WITH RECURSIVE descent AS (
        SELECT process_key, []::BIGINT[] AS ancestors FROM linked WHERE parent_key IS NULL
        UNION ALL
        SELECT linked.process_key, ancestors || [descent.process_key]
        FROM linked JOIN descent ON linked.parent_key = descent.process_key
        WHERE len(ancestors) < 64
    )
    FROM descent
)
SELECT linked.process_key, computer_name.computer, linked.boot_number, linked.process_id, linked.process_guid, linked.program, linked.image,
    linked.command_line, linked.user_name, linked.user_domain, linked.logon_id, linked.start_time, linked.end_time, linked.parent_key,
    coalesce(linked.parent_program, parent.program) AS parent_program, linked.parent_process_id, linked.parent_rule,
    coalesce(ancestors, [linked.parent_key]) AS ancestors, linked.sources, linked.start_keys || linked.end_keys AS event_keys
FROM linked
JOIN computer_name USING (computer_number)
LEFT JOIN tree USING (process_key)
LEFT JOIN linked AS parent ON parent.process_key = linked.parent_key
ORDER BY linked.start_time, linked.process_key
