-- ---
-- id = "clock_skew"
-- title = "Differences between clocks"
-- description = """One row a pair of computers whose logs show the same thing: by how much the second one's clock is ahead of the first
-- one's. A session or a ticket takes time, so that some tenths of a second are no skew."""
-- [columns]
-- computer = "whose event comes first, lower case"
-- other_computer = "whose event follows"
-- seconds_ahead = "median difference in seconds; negative: the other clock is behind"
-- least_seconds = "smallest difference"
-- most_seconds = "largest difference"
-- pairs = "how many pairs of events"
-- basis = "ticket: 4769 and the first 4624 with its GUID; shell: the client's request (WinRM 6) and the server's 91"
-- is_skewed = "more than two seconds: times of the two hosts must not be compared as they stand"
-- ---
-- Only exact keys are used here, since what is linked by time cannot tell how far times differ.
WITH ticket AS (
    SELECT lower(kerberos_ticket.computer) AS computer, logon_session.computer AS other_computer, kerberos_ticket.logon_guid,
        epoch(min(logon_session.start_time)) - epoch(min(kerberos_ticket.event_time)) AS seconds, 'ticket' AS basis
    FROM kerberos_ticket JOIN logon_session ON logon_session.logon_guid = kerberos_ticket.logon_guid AND logon_session.source = '4624'
    WHERE kerberos_ticket.kind = 'service ticket' AND lower(kerberos_ticket.computer) <> logon_session.computer
    GROUP BY ALL
),
shell AS (
    SELECT client.computer, core.computer AS other_computer, epoch(remoting_shell.event_time) - epoch(client.event_time) AS seconds,
        'shell' AS basis
    FROM remoting_client AS client JOIN remoting_core AS core USING (core_number) JOIN remoting_shell USING (shell_number)
    WHERE client.rule = 'shell id'
),
measured AS (
    SELECT computer, other_computer, seconds, basis FROM ticket
    -- A ticket is used for hours: what comes long after its grant tells nothing of clocks.
    WHERE abs(seconds) < 600
    UNION ALL SELECT computer, other_computer, seconds, basis FROM shell
)
SELECT computer, other_computer, round(median(seconds), 3) AS seconds_ahead, round(min(seconds), 3) AS least_seconds,
    round(max(seconds), 3) AS most_seconds, count(*) AS pairs, basis,
    abs(median(seconds)) > 2 AS is_skewed
FROM measured
GROUP BY computer, other_computer, basis
ORDER BY computer, other_computer, basis
