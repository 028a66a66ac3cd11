-- ---
-- id = "remote_powershell_engine"
-- title = "PowerShell engine of a remoting session"
-- level = "informational"
-- attack = ["T1059.001", "T1021.006"]
-- description = """Start and stop of a PowerShell engine that a remoting session on this computer used (400 and 403 with host name
-- ServerRemoteHost, or below wsmprovhost.exe), paired by host id. On by default since PowerShell 2: often all that is left. It names
-- neither user nor source. Row "remoting, accessed host, Windows PowerShell log" of FireEye's 2014 paper. A row of the timeline."""
-- false_positives = ["Every administration by PowerShell Remoting"]
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- requires = [{channel = "Windows PowerShell", event_id = [400, 403]}]
-- ---
-- A 403 is lost when the process is killed or the computer goes down, a 400 when the log has rolled over. PowerShell 2 writes no
-- host application, so the host name alone has to do.
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, NULL::VARCHAR AS user_name,
    'A remoting session used PowerShell ' || coalesce(arg_min(engine_version, event_key), 'of unknown version') || ' on ' || coalesce(computer, 'an unnamed computer')
        || CASE WHEN min(event_id) = 403 THEN '; its start is not logged, it stopped at ' || show_time(max(event_time))
                WHEN max(event_id) = 400 THEN ' from ' || show_time(min(event_time)) || ' on; its stop is not logged (still open, killed, or lost)'
                ELSE ' ' || show_span(min(event_time), max(event_time)) || ', '
                    || counted(round(epoch(max(event_time) - min(event_time)))::BIGINT, 'second') END AS summary,
    list_sort(list(event_key)) AS evidence,
    host_id, arg_min(runspace_id, (event_id, event_key)) AS runspace_id, arg_min(host_application, event_key) AS host_application,
    max(event_time) FILTER (event_id = 403) AS end_time
FROM powershell_engine
WHERE event_id IN (400, 403) AND (host_name = 'ServerRemoteHost' OR host_application ILIKE '%wsmprovhost.exe%')
GROUP BY computer, host_id, CASE WHEN host_id IS NULL THEN event_key END
ORDER BY event_time, evidence
