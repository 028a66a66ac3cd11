-- ---
-- id = "suspicious_scheduled_task"
-- title = "Suspicious scheduled task"
-- level = "high"
-- attack = ["T1053.005"]
-- description = """A task was made or changed that starts a shell or script host, or a program from a place where users may write, or that was
-- deleted within minutes: run once and gone."""
-- false_positives = ["Software updates that clean up after themselves"]
-- references = ["https://attack.mitre.org/techniques/T1053/005/"]
-- requires = [{channel = "Security", event_id = [4698, 4699, 4702]},
--     {channel = "Microsoft-Windows-TaskScheduler/Operational", event_id = [106, 140, 141]}]
-- [params.lifetime_minutes]
-- type = "integer"
-- default = 5
-- description = "A task deleted so soon after it was made was run once and cleaned up"
-- ---
WITH made AS (SELECT * FROM scheduled_task WHERE kind IN ('created', 'changed')),
gone AS (SELECT event_key, event_time, computer, task_name FROM scheduled_task WHERE kind = 'deleted'),
paired AS (
    SELECT made.*, arg_min(gone.event_key, (gone.event_time, gone.event_key)) AS gone_key, min(gone.event_time) AS gone_time
    FROM made LEFT JOIN gone ON gone.computer = made.computer AND gone.task_name = made.task_name
        AND gone.event_time BETWEEN made.event_time AND made.event_time + to_minutes($lifetime_minutes)
    GROUP BY ALL
),
judged AS (
    SELECT *, CASE
            WHEN regexp_matches(command, '(?i)(^|\\)(cmd|powershell|pwsh|mshta|wscript|cscript|rundll32|regsvr32|certutil|bitsadmin)(\.exe)?["'']?\s*$')
                THEN 'starts a shell or script host'
            WHEN regexp_matches(command, '(?i)\\(temp|tmp|users\\public|appdata|programdata|downloads|perflogs)\\|%(temp|tmp|appdata|public|programdata)%')
                THEN 'starts a program from where users may write'
            WHEN gone_key IS NOT NULL AND kind = 'created' AND task_name NOT LIKE '\Microsoft\%' THEN 'was deleted within minutes' END AS why
    FROM paired
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' ' || kind || ' the task ' || coalesce(task_name, '?') || ' on ' || coalesce(computer, 'an unnamed computer') || ', which ' || why
        || coalesce(': ' || excerpt(command || coalesce(' ' || arguments, ''), 160), '')
        || CASE WHEN gone_time IS NOT NULL THEN '; deleted ' || counted(round(epoch(gone_time - event_time))::BIGINT, 'second') || ' later' ELSE '' END AS summary,
    list_filter([event_key, gone_key], lambda key: key IS NOT NULL) AS evidence, task_name, command, arguments
FROM judged WHERE why IS NOT NULL
ORDER BY event_time, event_key
