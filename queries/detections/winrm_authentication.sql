-- ---
-- id = "winrm_authentication"
-- title = "WinRM authentication"
-- level = "informational"
-- attack = ["T1021.006"]
-- description = """Who authenticated to WinRM on this computer and how: 169 of Windows 7 to 2012 R2, each with the 193 that
-- follows when the user was let in. A building block of the timeline: weak mechanisms are in winrm_weak_authentication."""
-- false_positives = ["Administration by WinRM"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/winrmsecurity"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [169, 193]}]
-- ---
SELECT first_time AS event_time, host, computer, user_name,
    user_name || ' authenticated to WinRM on ' || coalesce(computer, 'an unnamed computer') || ' by ' || mechanism || ', ' || counted(authentications, 'time') || ' '
        || show_span(first_time, last_time)
        || CASE WHEN authorizations > 0 THEN ', and was let in' ELSE '; that the user was let in is not logged' END AS summary,
    event_keys AS evidence, mechanism, authentications, last_time
FROM winrm_authentication_series
ORDER BY first_time, event_keys
