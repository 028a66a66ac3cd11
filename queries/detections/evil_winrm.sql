-- ---
-- id = "evil_winrm"
-- title = "Traces of evil-winrm"
-- level = "high"
-- attack = ["T1021.006"]
-- description = """The shell evil-winrm asks for its prompt by (get-location).path after every command, and loads functions of its own names
-- into the session. Module or script-block logging shows both."""
-- false_positives = ["None known; the prompt's command alone could be anybody's, so two of it are asked for"]
-- references = ["https://github.com/Hackplayers/evil-winrm"]
-- requires = [{channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4103, 4104]}]
-- [params.min_prompts]
-- type = "integer"
-- default = 2
-- description = "Prompts of one process; it writes one after each command"
-- ---
WITH trace AS (
    SELECT event_key, [event_key] AS event_keys, event_time, host, computer, process_id, user_name,
        CASE WHEN regexp_matches(payload, '(?i)bypass-4msi|donut-loader|dll-loader|invoke-binary') THEN 'menu' ELSE 'prompt' END AS kind, '4103' AS source
    FROM module_log
    WHERE event_id = 4103 AND host_application ILIKE '%wsmprovhost.exe%'
        AND regexp_matches(payload, '(?i)\(get-location\)\.path|bypass-4msi|donut-loader')
    UNION ALL
    SELECT event_key, event_keys, event_time, host, computer, process_id, user_sid,
        CASE WHEN regexp_matches(text, '(?i)bypass-4msi|donut-loader') THEN 'menu' ELSE 'prompt' END, '4104'
    FROM script_block
    WHERE regexp_matches(text, '(?i)^\s*\(get-location\)\.path\s*$|bypass-4msi|donut-loader')
),
bout AS (
    SELECT computer, process_id, min(event_time) AS event_time, max(event_time) AS last_time, arg_min(host, event_key) AS host,
        arg_min(user_name, (source, event_key)) AS user_name, count(*) FILTER (kind = 'menu') AS menus,
        greatest(count(*) FILTER (kind = 'prompt' AND source = '4103'), count(*) FILTER (kind = 'prompt' AND source = '4104')) AS prompts,
        list_sort(flatten(list(event_keys))) AS evidence
    FROM trace GROUP BY computer, process_id
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' worked on ' || coalesce(computer, 'an unnamed computer') || ' with evil-winrm ' || show_span(event_time, last_time)
        || ' (process ' || coalesce(process_id::VARCHAR, '?') || '): ' || counted(prompts, 'prompt')
        || CASE WHEN menus > 0 THEN ', and names of its menu' ELSE '' END AS summary,
    evidence, process_id
FROM bout WHERE menus > 0 OR prompts >= $min_prompts
ORDER BY event_time, evidence
