-- ---
-- id = "download_cradle"
-- title = "PowerShell download cradle"
-- level = "high"
-- attack = ["T1105", "T1059.001"]
-- description = """A command line or script that fetches code or files from elsewhere (Net.WebClient, Invoke-WebRequest into
-- Invoke-Expression, BITS, XMLHTTP). Findings are by process and bout of work."""
-- false_positives = ["Installers, update scripts and package managers (Chocolatey, Scoop)", "Scripts that only mention the words"]
-- references = ["https://attack.mitre.org/techniques/T1105/"]
-- requires = [{channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]},
--     {channel = "Windows PowerShell", event_id = [800]}, {channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Matches of one process this close together are one finding"
-- ---
-- 5 minutes: a cradle is logged as command line, as the script that fetches and often again as its inner blocks.
WITH matched AS (
    SELECT *, download_cradle(text) AS word,
        lag(event_time) OVER (PARTITION BY computer, process_id ORDER BY event_time, event_key) AS previous
    FROM command_text
    WHERE download_cradle(text) IS NOT NULL
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, process_id ORDER BY event_time, event_key) AS island
    FROM matched
),
bout AS (
    SELECT computer, process_id, island, any_value(host ORDER BY event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time,
        any_value(user_name ORDER BY event_key) AS user_name, count(*) AS matches, list(lower(word)) AS words,
        -- The first 2,000 characters around the word; a whole script may have megabytes and is in script_block.
        any_value(substr(text, greatest(instr(text, word) - 200, 1), 2000) ORDER BY event_time, event_key) AS text,
        any_value(regexp_extract(text, '(?i)(https?|ftp)://[^\s''"<>)]+') ORDER BY event_time, event_key) AS url,
        list_sort(flatten(list(event_keys))) AS evidence
    FROM numbered
    GROUP BY computer, process_id, island
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' ran code that downloads (' || name_list(words, 4) || ') on ' || coalesce(computer, 'an unnamed computer')
        || coalesce(' in process ' || process_id, '') || ' ' || show_span(event_time, last_time)
        || CASE WHEN url <> '' THEN ', from ' || excerpt(url, 120) ELSE '' END
        || CASE WHEN matches > 1 THEN ', ' || matches || ' matches' ELSE '' END || ': ' || excerpt(text, 160) AS summary,
    evidence, nullif(url, '') AS url, text, process_id, last_time
FROM bout
ORDER BY event_time, evidence
