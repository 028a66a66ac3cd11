-- ---
-- id = "script_block"
-- title = "PowerShell script blocks"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """4104 of Windows PowerShell 5 and of PowerShell 7: one row a script block, its parts joined in order.
-- parts_found below parts_total means that the log has lost some."""
-- ---
-- A long script is split over records with the same ScriptBlockId, MessageNumber of MessageTotal. Level 3 (warning) is
-- given by PowerShell itself to blocks that use suspicious words; those are logged even without a policy.
-- process_id is the process that ran the block: the wsmprovhost of a remoting session. 69 real records lack Path.
WITH part AS (
    SELECT event_key, event_time, host, computer, channel, level, process_id, user_sid, activity_id,
        clean_guid(event_data->>'ScriptBlockId') AS script_block_id,
        as_integer(event_data->>'MessageNumber') AS number,
        as_integer(event_data->>'MessageTotal') AS total,
        event_data->>'ScriptBlockText' AS text,
        known(event_data->>'Path') AS path
    FROM counted_event
    WHERE event_id = 4104
        AND channel IN ('Microsoft-Windows-PowerShell/Operational', 'PowerShellCore/Operational')
),
-- A part that is in the case twice (two exports of one log) counts once.
distinct_part AS (
    SELECT *, row_number() OVER (PARTITION BY computer, channel, process_id, script_block_id, number ORDER BY event_key) AS copy
    FROM part
)
SELECT
    min(event_key) AS event_key,
    min(event_time) AS event_time,
    arg_min(host, event_key) AS host,
    computer, channel, process_id, script_block_id,
    arg_min(user_sid, event_key) AS user_sid,
    arg_min(activity_id, event_key) AS activity_id,
    arg_min(path, event_key) AS path,
    coalesce(min(level) <= 3, false) AS is_flagged_by_windows,
    count(*) FILTER (copy = 1) AS parts_found,
    max(total) AS parts_total,
    string_agg(text, '' ORDER BY number, event_key) FILTER (copy = 1) AS text,
    list_sort(list(event_key)) AS event_keys
FROM distinct_part
GROUP BY computer, channel, process_id, script_block_id
