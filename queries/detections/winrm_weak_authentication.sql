-- ---
-- id = "winrm_weak_authentication"
-- title = "WinRM authentication by a weak mechanism"
-- level = "medium"
-- attack = ["T1021.006", "T1550.002"]
-- description = """WinRM authentication (169) by NTLM, Basic, Digest or CredSSP. NTLM does not prove the server's identity
-- and serves stolen hashes; Basic and CredSSP hand the password over, so that this computer can use it again."""
-- false_positives = ["Workgroup computers and connections by IP address: Kerberos does not work there"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/winrmsecurity"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [169, 193]}]
-- ---
SELECT first_time AS event_time, host, computer, user_name,
    user_name || ' authenticated to WinRM on ' || coalesce(computer, 'an unnamed computer') || ' by ' || mechanism || ' and not by Kerberos, '
        || counted(authentications, 'time') || ' ' || show_span(first_time, last_time)
        || CASE WHEN upper(mechanism) IN ('BASIC', 'CREDSSP') THEN '; the password itself was handed to this computer' ELSE '' END
        || CASE WHEN authorizations > 0 THEN '; the user was let in' ELSE '' END AS summary,
    event_keys AS evidence, mechanism, authentications, last_time
FROM winrm_authentication_series
-- Negotiate is Kerberos or NTLM: which one is not told.
WHERE upper(mechanism) IN ('NTLM', 'BASIC', 'DIGEST', 'CREDSSP')
ORDER BY first_time, event_keys
