-- ---
-- id = "powershell_encoded_command"
-- title = "PowerShell with an encoded command"
-- level = "high"
-- attack = ["T1027.010", "T1059.001"]
-- description = """A command line that gives PowerShell its script as base64 (-EncodedCommand or any shortening of it). The
-- finding shows what it decodes to. Starts of the same script within minutes are one finding."""
-- false_positives = ["Management tools such as SCCM, Ansible and monitoring agents", "Programs that wrap PowerShell"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_powershell_exe"]
-- requires = [{channel = "Security", event_id = [4688]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]},
--     {channel = "Windows PowerShell", event_id = [400, 403]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Starts of the same script this close together are one finding"
-- ---
-- 5 minutes: cmd.exe, powershell.exe, Sysmon, Security and the engine's own log all tell of the same start within seconds.
WITH seen AS (
    SELECT event_key, event_time, host, computer, account(user_domain, user_name) AS user_name, parent_image, command_line
    FROM process_start
    UNION ALL
    SELECT event_key, event_time, host, computer, NULL, NULL, host_application
    FROM powershell_engine
    WHERE event_id IN (400, 403)
),
encoded AS (
    SELECT *, encoded_command(command_line) AS base64
    FROM seen
    WHERE regexp_matches(command_line, '(?i)powershell|pwsh')
),
decoded AS (
    SELECT *, decode_utf16_base64(base64) AS script,
        lag(event_time) OVER (PARTITION BY computer, base64 ORDER BY event_time, event_key) AS previous
    FROM encoded
    WHERE base64 IS NOT NULL
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, base64 ORDER BY event_time, event_key) AS island
    FROM decoded
    -- What decodes to no text was some other option with a long value.
    WHERE regexp_matches(script, '^[\s!-~]{3}')
),
run AS (
    SELECT computer, base64, script, island, any_value(host ORDER BY event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time,
        any_value(user_name ORDER BY event_key) AS user_name,
        any_value(parent_image ORDER BY event_time, event_key) AS parent_image,
        any_value(command_line ORDER BY event_time, event_key) AS command_line,
        list(event_key ORDER BY event_key) AS evidence
    FROM numbered
    GROUP BY computer, base64, script, island
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' started PowerShell on ' || coalesce(computer, 'an unnamed computer') || ' with an encoded command '
        || show_span(event_time, last_time) || coalesce(' from ' || file_name(parent_image), '')
        || '; it decodes to: ' || excerpt(script, 200) AS summary,
    evidence, script, command_line, parent_image, last_time
FROM run
ORDER BY event_time, evidence
