-- ---
-- id = "obfuscated_offensive_text"
-- title = "Hidden offensive code"
-- level = "high"
-- attack = ["T1027", "T1140"]
-- description = """A script or command line hides what it does by base64, compression, joined or reversed strings, and what it hides names
-- offensive tools or fetches code. The decoded layers are in decoded_text, the original in its record."""
-- false_positives = ["Security training and the test suites of security products"]
-- references = ["https://attack.mitre.org/techniques/T1027/"]
-- requires = [{channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]},
--     {channel = "Windows PowerShell", event_id = [800]},
--     {channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- Only where the layer says more than the text itself: what is written openly has its own detections.
WITH hidden AS (
    SELECT command.event_key, command.event_keys, command.event_time, command.host, command.computer, command.user_name, decoded.method, decoded.text,
        coalesce(offensive_keyword(decoded.text), download_cradle(decoded.text)) AS keyword
    FROM decoded_text AS decoded JOIN command_text AS command USING (event_key)
    WHERE coalesce(offensive_keyword(decoded.text), download_cradle(decoded.text)) IS NOT NULL
        AND coalesce(offensive_keyword(command.text), download_cradle(command.text)) IS NULL
    QUALIFY row_number() OVER (PARTITION BY command.event_key ORDER BY decoded.layer) = 1
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS previous FROM hidden),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' ran hidden code on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time))
        || ' (' || name_list(list(method), 4) || '), which names ' || name_list(list(lower(keyword)), 5) || ': ' || excerpt(arg_min(text, event_key), 200) AS summary,
    list_sort(list_distinct(flatten(list(event_keys)))) AS evidence
FROM numbered GROUP BY computer, user_name, island
ORDER BY event_time, evidence
