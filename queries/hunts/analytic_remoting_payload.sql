-- ---
-- id = "analytic_remoting_payload"
-- title = "What went over PowerShell Remoting, by the analytic log"
-- description = """FireEye 2014, row "remoting, accessed host, PowerShell Analytic log" (FE7): 32850 names the user and the shell; 32867 and 32868 hold what was
-- received and sent, commands and output, as hex of PSRP messages whose text is UTF-8 XML. The log is off by default and readable only where it was exported as .evtx."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- ---
-- The fields' names in 32850 are from the manifest (param2, param3). A message may go on in further fragments of the same ObjectId.
-- PSRP: 40 bytes of header (types and GUIDs), then UTF-8, as a rule XML. Where that cannot be told apart, bytes that are no ASCII are dots.
WITH record AS (
    SELECT *, upper(regexp_replace(regexp_replace(event_data->>'FragmentPayload', '^0x', ''), '\s', '', 'g')) AS digits
    FROM counted_event
    WHERE event_id IN (32850, 32867, 32868) AND channel = 'Microsoft-Windows-PowerShell/Analytic'
)
SELECT event_time, computer, process_id, CASE event_id WHEN 32850 THEN 'user' WHEN 32867 THEN 'received' ELSE 'sent' END AS kind,
    event_data->>'ObjectId' AS object_id, as_integer(event_data->>'FragmentId') AS fragment_id,
    CASE WHEN event_id = 32850 THEN coalesce(event_data->>'param2', event_data->>'UserName')
         WHEN NOT regexp_matches(digits, '^([0-9A-F]{2})+$') THEN event_data->>'FragmentPayload'
         ELSE coalesce(nullif(TRY(decode(unhex(regexp_extract(digits, '^(?:..)*?(3C(?:4F626A|53|4D53|4E696C|49|54|42)(?:..)*)$', 1)))), ''),
             array_to_string(list_transform(regexp_extract_all(digits, '..'),
                 lambda code: CASE WHEN code BETWEEN '20' AND '7E' OR code IN ('09', '0A', '0D') THEN chr(('0x' || code)::INTEGER) ELSE '.' END), '')) END AS text,
    coalesce(event_data->>'param3', event_data->>'ShellId') AS shell_id, event_key
FROM record
ORDER BY event_time, object_id, fragment_id, event_key
