-- ---
-- id = "run_key_value"
-- title = "Program set to start at logon"
-- level = "informational"
-- attack = ["T1547.001"]
-- description = """A value below a Run or RunOnce key was set: the program starts whenever somebody logs on. Most software does it; see who set it
-- and from where it starts."""
-- false_positives = ["Installers and updaters, all the time"]
-- references = ["https://attack.mitre.org/techniques/T1547/001/"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [13]},
--     {channel = "Security", event_id = [4657]}]
-- ---
SELECT event_time, host, computer, user_name,
    coalesce(file_name(image), 'Somebody') || ' set ' || path_end(key_path, 70) || ' on ' || coalesce(computer, 'an unnamed computer')
        || coalesce(': ' || excerpt(new_value, 160), '') AS summary,
    [event_key] AS evidence, key_path, new_value
FROM registry_change
WHERE kind = 'set' AND regexp_matches(key_path, '(?i)\\CurrentVersion\\(Policies\\Explorer\\)?Run(Once|OnceEx|Services)?\\')
ORDER BY event_time, event_key
