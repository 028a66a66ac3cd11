-- ---
-- id = "outbound_remoting"
-- title = "Where computers opened WSMan sessions to"
-- description = """FireEye 2014, row "remoting, client, WinRM Operational log" (FE4): the connection string of WinRM 6, by user and computer, with what came
-- of it (142, 161 to 164). On by default. Many at once are wsman_fan_out; localhost is the local WSMan provider and left out."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- ---
SELECT request.event_time, request.computer, coalesce(account(account_sid.user_domain, account_sid.user_name), request.user_sid) AS user_name,
    request.connected_host, request.connection, request.process_id, name_list(list(answer.kind || coalesce(': ' || answer.error, '')) FILTER (answer.kind IS NOT NULL), 3) AS refused,
    list_sort(list_distinct([request.event_key] || coalesce(list(answer.event_key) FILTER (answer.event_key IS NOT NULL), []))) AS event_keys
FROM winrm AS request
LEFT JOIN account_sid ON account_sid.user_sid = request.user_sid
LEFT JOIN winrm AS answer ON answer.computer = request.computer AND answer.activity_id = request.activity_id AND answer.event_id IN (142, 161, 162, 163, 164)
    AND answer.event_time BETWEEN request.event_time AND request.event_time + INTERVAL 10 MINUTE
WHERE request.event_id = 6 AND request.connected_host NOT IN ('localhost', '127.0.0.1', '[::1]')
GROUP BY request.event_key, request.event_time, request.computer, account_sid.user_domain, account_sid.user_name, request.user_sid, request.connected_host, request.connection, request.process_id
ORDER BY request.event_time, request.event_key
