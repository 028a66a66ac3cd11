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
-- What only the result shows is joined at the end: carried through every step it would double the time.
WITH start AS (
    SELECT event_key, event_time, computer_number, process_id, process_guid, program, parent_process_id, parent_process_guid,
        parent_program, source
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
    SELECT start.event_key AS record_key, sysmon.event_key AS sysmon_key, least(start.event_key, sysmon.event_key) AS process_key,
        start.computer_number, start.process_id, least(start.event_time, sysmon.event_time) AS start_time,
        coalesce(sysmon.process_guid, start.process_guid) AS process_guid, start.program,
        coalesce(start.parent_process_id, sysmon.parent_process_id) AS parent_process_id,
        coalesce(sysmon.parent_process_guid, start.parent_process_guid) AS parent_process_guid,
        coalesce(start.parent_program, sysmon.parent_program) AS parent_program
    FROM start LEFT JOIN pair ON pair.security_key = start.event_key LEFT JOIN start AS sysmon ON sysmon.event_key = pair.sysmon_key
    WHERE start.event_key NOT IN (SELECT sysmon_key FROM pair)
),
stop AS (
    SELECT event_key, event_time, computer_number, process_id
    FROM process_end JOIN computer_name ON computer_name.computer = lower(process_end.computer)
),
ended AS (
    SELECT process_key, min(event_time) AS end_time, list_sort(list(event_key)) AS end_keys
    FROM stop ASOF JOIN instance ON instance.computer_number = stop.computer_number AND instance.process_id = stop.process_id
        AND stop.event_time >= instance.start_time
    GROUP BY process_key
),
booted AS (
    SELECT computer_number, boot_number, coalesce(start_time, TIMESTAMP '0001-01-01') AS from_time,
        coalesce(end_time, TIMESTAMP '9999-01-01') AS until_time
    FROM boot_session JOIN computer_name USING (computer)
),
lived AS (
    SELECT instance.*, boot_number, end_time, coalesce(end_keys, []) AS end_keys
    FROM instance LEFT JOIN ended USING (process_key)
    LEFT JOIN booted ON booted.computer_number = instance.computer_number
        AND instance.start_time >= booted.from_time AND instance.start_time < booted.until_time
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
SELECT linked.process_key, computer_name.computer, linked.boot_number, linked.process_id, linked.process_guid, linked.program,
    record.image, coalesce(record.command_line, sysmon.command_line) AS command_line,
    -- A 4688 before Windows 10 names the creator only; Sysmon names the process's own.
    coalesce(sysmon.user_name, record.user_name) AS user_name, coalesce(sysmon.user_domain, record.user_domain) AS user_domain,
    coalesce(sysmon.logon_id, record.logon_id) AS logon_id, linked.start_time, linked.end_time, linked.parent_key,
    coalesce(linked.parent_program, parent.program) AS parent_program, linked.parent_process_id, linked.parent_rule,
    coalesce(ancestors, [linked.parent_key]) AS ancestors,
    CASE WHEN linked.sysmon_key IS NULL THEN [record.source] ELSE ['4688', 'Sysmon'] END AS sources,
    list_sort(CASE WHEN linked.sysmon_key IS NULL THEN [linked.record_key] ELSE [linked.record_key, linked.sysmon_key] END) || linked.end_keys AS event_keys
FROM linked
JOIN computer_name USING (computer_number)
JOIN process_start AS record ON record.event_key = linked.record_key
LEFT JOIN process_start AS sysmon ON sysmon.event_key = linked.sysmon_key
LEFT JOIN tree USING (process_key)
LEFT JOIN instance AS parent ON parent.process_key = linked.parent_key
ORDER BY linked.start_time, linked.process_key
