-- ---
-- id = "run_key_value"
-- title = "Program set to start at logon"
-- level = "informational"
-- other_levels = ["medium"]  # a script host, a place where users may write, or a name made to hide
-- attack = ["T1547.001"]
-- description = """A value below a Run or RunOnce key was set: the program starts whenever somebody logs on. Most software does it. Medium if it starts a
-- shell or script host, lies where users may write or in a folder of Windows that holds no programs, or has a name that the registry editor does not show."""
-- false_positives = ["Installers and updaters, all the time", "Programs that are installed for one user: OneDrive, Teams, Slack (left out), and others"]
-- references = ["https://attack.mitre.org/techniques/T1547/001/"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [13]},
--     {channel = "Security", event_id = [4657]}]
-- ---
-- A name that begins with NUL leaves the path with nothing, or a NUL, behind its last backslash.
WITH judged AS (
    SELECT *, list_filter([
            CASE WHEN regexp_matches(new_value, '(?i)(^|["\\\s])(cmd|powershell|pwsh|mshta|wscript|cscript|rundll32|regsvr32|certutil|bitsadmin)(\.exe)?["\s]') THEN 'starts a shell or script host' END,
            CASE WHEN regexp_matches(new_value, '(?i)\\(temp|tmp|users\\public|appdata|programdata|downloads|perflogs)\\|%(temp|tmp|appdata|public|programdata)%|\\windows\\(tasks|debug|tracing|fonts|help)\\')
                AND NOT regexp_matches(new_value, '(?i)\\appdata\\local\\(microsoft\\(onedrive|teams|edgeupdate)|slack|discord|google\\(update|chrome)|programs)\\|\\programdata\\package cache\\')
                THEN 'starts from where programs do not belong' END,
            CASE WHEN regexp_matches(key_path, '(?i)\\Run(Once|OnceEx|Services|ServicesOnce)?\\(\x00.*)?$') THEN 'has a name that hides it' END
        ], lambda reason: reason IS NOT NULL) AS reasons
    FROM run_key
)
SELECT event_time, host, computer, user_name,
    coalesce(file_name(image), 'Somebody') || ' set ' || path_end(key_path, 70) || ' on ' || coalesce(computer, 'an unnamed computer')
        || coalesce(': ' || excerpt(new_value, 160), '') || CASE WHEN len(reasons) > 0 THEN ' (' || array_to_string(reasons, ', ') || ')' ELSE '' END AS summary,
    [event_key] AS evidence, key_path, new_value, CASE WHEN len(reasons) > 0 THEN 'medium' END AS level
FROM judged
ORDER BY event_time, event_key
