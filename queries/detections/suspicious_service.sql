-- ---
-- id = "suspicious_service"
-- title = "Service with a suspicious program"
-- level = "high"
-- attack = ["T1543.003", "T1569.002"]
-- description = """A service was installed (7045, 4697) that runs a shell or script, writes to a named pipe, or whose program
-- lies where users can write, on a share, or under a random name in the Windows folder. Attack tools run commands as SYSTEM so."""
-- false_positives = ["Installers that run from a temporary folder", "Tools started from an administrator's desktop"]
-- references = ["https://attack.mitre.org/techniques/T1543/003/"]
-- requires = [{channel = "System", event_id = [7045]}, {channel = "Security", event_id = [4697]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Installations of the same service this close together are one finding"
-- ---
-- 10 minutes: 7045 and 4697 of one installation, and a tool's retries.
WITH judged AS (
    SELECT *, list_filter([
        CASE WHEN regexp_matches(image_path, '(?i)' || concat_ws('|',
                '^["'']?(%comspec%|(\S*\\)?(cmd|powershell|pwsh|mshta|wscript|cscript)(\.exe)?)(["''\s]|$)',
                '^["'']?(\S*\\)?(regsvr32|rundll32|certutil|bitsadmin)(\.exe)?(["''\s]|$)', '\bpowershell(\.exe)?\s'))
            THEN 'runs a shell or script host' END,
        CASE WHEN regexp_matches(image_path, '(?i)\\\\\.\\pipe\\') THEN 'writes to a named pipe' END,
        CASE WHEN regexp_matches(image_path, '(?i)' || concat_ws('|',
                '\\(temp|tmp|perflogs|\$recycle\.bin|users\\public|users\\[^\\]+[\\/](desktop|downloads|documents|appdata))[\\/]',
                '^["'']?[a-z]:\\programdata\\[^\\]+\.(exe|sys)'))
            THEN 'lies where users can write' END,
        CASE WHEN regexp_matches(image_path, '(?i)^["'']?\\\\[^.?\\]|\badmin\$') THEN 'lies on a network share' END,
        -- Metasploit and Impacket copy a program of eight random letters into the Windows folder; PSEXESVC is psexec_service.
        CASE WHEN regexp_matches(image_path, '(?i)^["'']?(%systemroot%|%windir%|\\systemroot|[a-z]:\\windows)\\[a-z]{8}\.exe["'']?\s*$')
                AND NOT regexp_matches(image_path, '(?i)psexesvc') THEN 'has a random name in the Windows folder' END
    ], lambda reason: reason IS NOT NULL) AS reasons
    FROM service_install
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (
        PARTITION BY computer, service_name, image_path ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer, service_name, image_path ORDER BY event_time, event_key) AS previous
          FROM judged WHERE len(reasons) > 0)
),
installed AS (
    SELECT computer, service_name, image_path, reasons, island, any_value(host ORDER BY event_key) AS host,
        min(event_time) AS event_time, max(event_time) AS last_time,
        any_value(account(user_domain, user_name) ORDER BY event_key) AS user_name,
        any_value(service_account ORDER BY event_key) AS service_account, any_value(start_type ORDER BY event_key) AS start_type,
        bool_or(is_driver) AS is_driver, list(event_key ORDER BY event_key) AS evidence
    FROM numbered
    GROUP BY computer, service_name, image_path, reasons, island
)
SELECT event_time, host, computer, user_name,
    'The ' || CASE WHEN is_driver THEN 'driver ' ELSE 'service ' END || coalesce(excerpt(service_name, 60), 'without a name') || ' was installed on '
        || coalesce(computer, 'an unnamed computer') || coalesce(' by ' || user_name, '') || ' ' || show_span(event_time, last_time)
        || coalesce(' to run as ' || service_account, '') || '; its program ' || array_to_string(reasons, ' and ') || ': '
        || excerpt(image_path, 160) AS summary,
    evidence, service_name, image_path, reasons, decode_utf16_base64(encoded_command(image_path)) AS decoded_command,
    service_account, start_type
FROM installed
ORDER BY event_time, evidence
