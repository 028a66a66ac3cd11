-- ---
-- id = "remoting_enabled"
-- title = "Remoting enabled or an endpoint registered"
-- level = "medium"
-- attack = ["T1021.006", "T1546"]
-- description = """Enable-PSRemoting, winrm quickconfig, or a session configuration registered or changed: a new way into this computer, or
-- one that runs as another account."""
-- false_positives = ["Build scripts and the first set-up of a computer"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/enable-psremoting"]
-- requires = [{channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]},
--     {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]}]
-- ---
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' opened ' || coalesce(computer, 'an unnamed computer') || ' for remoting: ' || excerpt(text, 200) AS summary,
    list_sort(event_keys) AS evidence
FROM command_text
WHERE regexp_matches(without_backticks(text), '(?i)\b(enable-psremoting|(un)?register-pssessionconfiguration|set-pssessionconfiguration)\b|winrm(\.cmd)?["'']?\s+(quickconfig|qc)\b')
    AND NOT regexp_matches(text, '(?i)unregister-pssessionconfiguration')
    -- Windows' own scripts that define these commands are long; a call is short.
    AND len(text) < 4000
ORDER BY event_time, evidence
