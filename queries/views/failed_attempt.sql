-- ---
-- id = "failed_attempt"
-- title = "Failed attempts to log on with a password, each once"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Failed logons that guessing leaves: wrong password or unknown user, with one name for the account and
-- one for where the attempt came from."""
-- ---
-- Materialised before it is filtered: or else the filter on the reason reads the JSON of every other event as well.
WITH every_failure AS MATERIALIZED (FROM logon_failure),
failure AS MATERIALIZED (
    SELECT *, lower(coalesce(user_name, '?')) AS account_key
    FROM every_failure
    -- Machine accounts fail in series when their trust is broken; that is no guessing.
    WHERE NOT is_machine_account(user_name)
        AND reason IN ('wrong password', 'no such user', 'wrong user name or password', 'account locked',
                       'account disabled', 'account disabled, expired or locked')
)
SELECT
    event_key, event_time, host, computer, event_id, user_name, user_domain, account_key, reason, logon_type, ip, workstation,
    -- Attackers' tools invent a workstation name for each attempt: the address is the better name of a source.
    coalesce(ip, workstation, 'an unnamed source') AS source
FROM failure
-- NTLM of a local account leaves 4776 and 4625 within the same second or two: 4625 knows more.
WHERE event_key NOT IN (
    SELECT ntlm.event_key FROM failure AS ntlm JOIN failure AS logon ON logon.computer = ntlm.computer AND logon.account_key = ntlm.account_key
        AND logon.event_time BETWEEN ntlm.event_time - INTERVAL 2 SECONDS AND ntlm.event_time + INTERVAL 2 SECONDS
    WHERE ntlm.event_id = 4776 AND logon.event_id = 4625)
