-- ---
-- id = "host_address"
-- title = "Addresses of computers"
-- description = """Which computer had which address when, and which record says so. Addresses that two computers are said to have
-- at one time are marked: a link by such an address is a guess."""
-- [columns]
-- computer = "lower case, as the logs of the case name it"
-- short_name = "its name without domain"
-- ip = "address"
-- first_time = "first record that says so"
-- last_time = "last record that says so"
-- records = "how many records say so"
-- basis = "own connection, machine ticket, NTLM workstation"
-- is_conflicting = "another computer is said to have had it in an overlapping time"
-- ---
-- From the surest to the least sure: the computer's own outgoing connection (Sysmon 3, 5156); the machine account's own
-- ticket request at a domain controller (4768, COMPUTER$); the name that an NTLM client gives of itself (4624), which an
-- attacker chooses and which is used only where nothing better is known.
WITH known_computer AS (SELECT computer, short_host(computer) AS short_name FROM computer_name),
said AS (
    SELECT lower(computer) AS computer, source_ip AS ip, event_time, 1 AS rank, 'own connection' AS basis
    FROM network_connection WHERE is_outbound AND NOT is_loopback(source_ip)
    UNION ALL
    SELECT known_computer.computer, ticket.ip, event_time, 2, 'machine ticket'
    FROM kerberos_ticket AS ticket JOIN known_computer ON lower(ticket.user_name) = known_computer.short_name || '$'
    WHERE ticket.is_success AND ticket.kind = 'TGT' AND NOT is_loopback(ticket.ip)
    UNION ALL
    SELECT known_computer.computer, logon.ip, event_time, 3, 'NTLM workstation'
    FROM logon JOIN known_computer ON short_host(logon.workstation) = known_computer.short_name
    WHERE logon.authentication_package = 'NTLM' AND logon.logon_type IN (3, 8) AND NOT is_loopback(logon.ip)
),
grouped AS (
    SELECT computer, ip, min(event_time) AS first_time, max(event_time) AS last_time, count(*) AS records, basis, rank
    FROM said WHERE ip IS NOT NULL GROUP BY computer, ip, basis, rank
),
best AS (
    SELECT * FROM grouped AS one
    WHERE NOT EXISTS (SELECT 1 FROM grouped AS other WHERE other.ip = one.ip AND other.rank < one.rank AND one.rank = 3)
)
SELECT computer, short_host(computer) AS short_name, ip, min(first_time) AS first_time, max(last_time) AS last_time,
    sum(records)::BIGINT AS records, arg_min(basis, rank) AS basis,
    EXISTS (SELECT 1 FROM best AS other WHERE other.ip = best.ip AND other.computer <> best.computer) AS is_conflicting
FROM best
GROUP BY computer, ip
ORDER BY computer, ip
