-- ---
-- id = "remoting_setting"
-- title = "Settings that make remoting less safe"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Values below the keys of WSMan, WinRM and CredentialsDelegation, and commands that set them: kind credssp (it was enabled), or weaker
-- (TrustedHosts, unencrypted traffic, Basic authentication, the token filter of remote logons). What switches them off is left out."""
-- ---
-- The value names below WSMAN are from memory, so any name with the word counts; a value of 0 or nothing is a step back.
SELECT event_key, event_time, host, computer, user_name, key_path || coalesce(' = ' || new_value, '') AS what,
    CASE WHEN regexp_matches(key_path, '(?i)\\CredentialsDelegation\\.*Fresh|\\(WSMAN|WinRM)\\.*credssp') THEN 'credssp' ELSE 'weaker' END AS kind
FROM registry_change
WHERE (kind IN ('set', 'created') AND NOT coalesce(regexp_matches(new_value, '^(DWORD \(0x0+\)|0)$'), false)
        AND regexp_matches(key_path, '(?i)\\CredentialsDelegation\\.*Fresh|\\(WSMAN|WinRM)\\.*credssp'))
    OR (kind = 'set' AND NOT coalesce(regexp_matches(new_value, '^(DWORD \(0x0+\)|0|\(Empty\)|)$'), false)
        AND regexp_matches(key_path, '(?i)\\(WSMAN|WinRM)\\(Client|Service).*\\[^\\]*(trusted_?hosts|unencrypted|basic)[^\\]*$|\\LocalAccountTokenFilterPolicy$'))
UNION ALL
SELECT event_key, event_time, host, computer, user_name, excerpt(text, 200), unnest(list_filter([
        CASE WHEN regexp_matches(without_backticks(text), '(?is)enable-wsmancredssp|allowfreshcredentials|wsman:.{0,80}credssp.{0,40}(true|1)') THEN 'credssp' END,
        CASE WHEN regexp_matches(without_backticks(text),
            '(?is)(set-item|set-wsmaninstance|winrm(\.cmd)?["'']?\s+set|\bsi\b).{0,200}(trustedhosts|allowunencrypted|auth[\\/]+basic|@\{\s*basic)') THEN 'weaker' END
    ], lambda kind: kind IS NOT NULL))
FROM command_text
-- A long script that mentions them is no single command.
WHERE len(text) < 4000
