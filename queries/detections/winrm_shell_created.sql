-- ---
-- id = "winrm_shell_created"
-- title = "WinRM shell created"
-- level = "informational"
-- attack = ["T1021.006"]
-- description = """A client opened a shell on this computer (WinRM 91): PowerShell Remoting, winrs, or an endpoint of its own. What ran
-- in it: see sessions and timeline."""
-- false_positives = ["Every administration by WinRM"]
-- references = ["https://attack.mitre.org/techniques/T1021/006/"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [91]}]
-- ---
SELECT winrm.event_time, winrm.host, winrm.computer, coalesce(winrm.user_name, account(account_sid.user_domain, account_sid.user_name), winrm.user_sid) AS user_name,
    coalesce(winrm.user_name, account(account_sid.user_domain, account_sid.user_name), winrm.user_sid, 'Somebody') || ' opened a '
        || coalesce(shell_kind, 'WSMan') || ' shell on ' || coalesce(winrm.computer, 'an unnamed computer') || coalesce(' from ' || client_ip, '')
        || coalesce(': ' || resource_uri, '') AS summary,
    [winrm.event_key] AS evidence, shell_kind, resource_uri, client_ip
FROM winrm LEFT JOIN account_sid ON account_sid.user_sid = winrm.user_sid
WHERE winrm.event_id = 91
ORDER BY winrm.event_time, winrm.event_key
