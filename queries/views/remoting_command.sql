-- ---
-- id = "remoting_command"
-- title = "Commands that open a computer for remoting"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Commands and scripts that switch remoting on (kind enable) or register and change a session configuration (kind endpoint)."""
-- ---
SELECT event_key, event_keys, event_time, host, computer, source, user_name, text,
    CASE WHEN regexp_matches(without_backticks(text), '(?i)pssessionconfiguration') THEN 'endpoint' ELSE 'enable' END AS kind
FROM command_text
-- Windows' own scripts that define these commands are long; a call is short.
WHERE len(text) < 4000
    AND regexp_matches(without_backticks(text), '(?i)\b(enable-psremoting|register-pssessionconfiguration|set-pssessionconfiguration)\b|winrm(\.cmd)?["'']?\s+(quickconfig|qc)\b')
    AND NOT regexp_matches(text, '(?i)unregister-pssessionconfiguration')
