-- ---
-- id = "failed_attempt"
-- title = "Failed attempts to log on with a password, each once"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Failed logons that guessing leaves: wrong password or unknown user, with one name for the account and
-- one for where the attempt came from."""
-- ---
WITH failure AS (
    SELECT *, lower(coalesce(user_name, '?')) AS account_key
    FROM logon_failure
    -- Machine accounts fail in series when their trust is broken; that is no guessing.
    WHERE NOT is_machine_account(user_name)
        AND reason IN ('wrong password', 'no such user', 'wrong user name or password', 'account locked',
                       'account disabled', 'account disabled, expired or locked')
),
counted AS (
    SELECT *, count(*) FILTER (event_id = 4625) OVER (PARTITION BY computer, account_key ORDER BY event_time
        RANGE BETWEEN INTERVAL 2 SECONDS PRECEDING AND INTERVAL 2 SECONDS FOLLOWING) AS near_4625
    FROM failure
)
SELECT
    event_key, event_time, host, computer, event_id, user_name, user_domain, account_key, reason, logon_type, ip, workstation,
    -- Attackers' tools invent a workstation name for each attempt: the address is the better name of a source.
    coalesce(ip, workstation, 'an unnamed source') AS source
FROM counted
-- NTLM of a local account leaves 4776 and 4625 within the same second or two: 4625 knows more.
WHERE event_id <> 4776 OR near_4625 = 0
