-- ---
-- id = "remoting_gap"
-- title = "Witnesses that remoting sessions lack"
-- description = """One row a session and kind of witness that Windows would write of it: whether it is there, and if not, whether it could
-- be. "Not there" is told apart from "not logged", "gone" and "not collected"."""
-- [columns]
-- session_id = "row of remoting_session"
-- role = "kind of witness, as in remoting_witness"
-- computer = "whose log would have it; NULL: the source is not known"
-- channel = "which log"
-- is_seen = "it is there"
-- reason = "why it may be missing; NULL: it is there"
-- ---
-- What a session leaves by default or by a common policy (about_Logging, Microsoft Learn, for 4104; the WinRM log is on by default).
WITH expected(role, channel, is_source, kinds) AS (
    VALUES ('client_session', 'Microsoft-Windows-WinRM/Operational', true, ['powershell', 'winrs', 'other']),
        ('shell', 'Microsoft-Windows-WinRM/Operational', false, ['powershell', 'winrs', 'other']),
        ('logon', 'Security', false, ['powershell', 'winrs', 'other']),
        ('host_process', 'Security', false, ['powershell', 'winrs']),
        ('host_process', 'Microsoft-Windows-Sysmon/Operational', false, ['powershell', 'winrs']),
        ('engine_start', 'Windows PowerShell', false, ['powershell']),
        ('script_block', 'Microsoft-Windows-PowerShell/Operational', false, ['powershell'])
),
wanted AS (
    SELECT session.session_id, role, channel, session.start_time, coalesce(session.end_time, session.start_time) AS end_time,
        CASE WHEN is_source THEN source_computer ELSE target_computer END AS computer
    FROM remoting_session AS session JOIN expected ON list_contains(kinds, session.kind)
),
seen AS (
    SELECT DISTINCT session_id, role, channel FROM remoting_witness JOIN counted_event USING (event_key)
)
SELECT wanted.session_id, wanted.role, wanted.computer, wanted.channel, seen.session_id IS NOT NULL AS is_seen,
    CASE
        WHEN seen.session_id IS NOT NULL THEN NULL
        WHEN wanted.computer IS NULL THEN 'the source is not known by name'
        WHEN coverage.computer IS NULL THEN 'no log of this computer is in the case'
        WHEN coverage.is_absent THEN coverage.notes
        WHEN coverage.cleared_time > wanted.start_time THEN 'the log was cleared after the session began'
        WHEN coverage.first_time > wanted.start_time + INTERVAL 10 SECOND THEN 'the log begins after the session did: ' || coverage.notes
        WHEN coverage.last_time < wanted.start_time THEN 'the log ends before the session began'
        WHEN coverage.notes <> '' THEN 'the log covers this time; ' || coverage.notes
        ELSE 'the log covers this time and has none: it is not logged, or did not happen' END AS reason
FROM wanted
LEFT JOIN seen USING (session_id, role, channel)
LEFT JOIN log_coverage AS coverage ON coverage.computer = wanted.computer AND coverage.channel = wanted.channel
ORDER BY wanted.session_id, wanted.role, wanted.channel
