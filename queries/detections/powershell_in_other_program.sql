-- ---
-- id = "powershell_in_other_program"
-- title = "PowerShell inside another program"
-- level = "medium"
-- attack = ["T1059.001"]
-- description = """A program that is no PowerShell loaded PowerShell's engine: an application that uses it, or code that was put into it to
-- avoid powershell.exe."""
-- false_positives = ["SQL Server, Exchange, Visual Studio, management consoles"]
-- references = ["https://attack.mitre.org/techniques/T1059/001/"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [7]},
--     {channel = "Windows PowerShell", event_id = [400]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- sdiagnhost and svchost load it by themselves (real logs).
WITH loaded AS (
    SELECT event_key, event_time, host, computer, image AS program FROM counted_event
    WHERE event_id = 7 AND provider = 'Microsoft-Windows-Sysmon'
        AND regexp_matches(image_loaded, '(?i)\\system\.management\.automation(\.ni)?\.dll$')
    UNION ALL
    SELECT event_key, event_time, host, computer, regexp_extract(host_application, '^"?([^"]*?\.exe)', 1) FROM powershell_engine WHERE event_id = 400 AND host_application IS NOT NULL
),
foreign_one AS (
    SELECT * FROM loaded
    WHERE program <> '' AND NOT regexp_matches(file_name(program), '^(powershell(_ise)?|pwsh|wsmprovhost|sdiagnhost|svchost|dsac|servermanager|mmc|winrshost|wmiprvse|ssms|sqlps)(\.exe)?$')
        AND NOT regexp_matches(program, '(?i)^(powershell|pwsh)\b')
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, program ORDER BY event_time, event_key) AS previous FROM foreign_one),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, program ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, NULL::VARCHAR AS user_name,
    program || ' on ' || coalesce(computer, 'an unnamed computer') || ' loaded PowerShell ' || show_span(min(event_time), max(event_time)) AS summary,
    list_sort(list(event_key)) AS evidence, program
FROM numbered GROUP BY computer, program, island
ORDER BY event_time, evidence
