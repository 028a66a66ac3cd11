-- ---
-- id = "notable_script_block"
-- title = "Script blocks with offensive words or a flag by Windows"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """4104 blocks that name offensive tools or calls, or that PowerShell flagged, in bouts of one process; bouts
-- with and without offensive words are kept apart. keywords is empty where only Windows flagged them."""
-- ---
-- 10 minutes without another such block end a bout: an operator's pause, and a module that loads takes seconds.
WITH matched AS (
    SELECT *, offensive_keyword(text) AS keyword
    FROM script_block
    WHERE is_flagged_by_windows OR offensive_keyword(text) IS NOT NULL
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, 10)) OVER (
        PARTITION BY computer, process_id, keyword IS NULL ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer, process_id, keyword IS NULL ORDER BY event_time, event_key) AS previous
          FROM matched)
)
SELECT computer, process_id,
    arg_min(host, event_key) AS host,
    min(event_time) AS event_time, max(event_time) AS last_time,
    arg_min(user_sid, event_key) AS user_sid,
    count(*) AS blocks,
    coalesce(list_sort(list(DISTINCT lower(keyword)) FILTER (keyword IS NOT NULL)), []) AS keywords,
    arg_min(path, event_key) AS path,
    -- From a little before the first word on; whole scripts are in script_block.
    any_value(substr(text, greatest(coalesce(instr(text, keyword), 1) - 60, 1), 2000) ORDER BY event_time, event_key) AS text,
    list_sort(flatten(list(event_keys))) AS evidence
FROM numbered
GROUP BY computer, process_id, keyword IS NULL, island
