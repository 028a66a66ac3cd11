-- ---
-- id = "logon_id_activity"
-- title = "Everything a logon did"
-- description = """The timeline of one logon session on one computer, with the other half of a UAC split. Logon ids repeat after
-- a reboot: see that the times fit."""
-- [params.computer]
-- type = "string"
-- default = ""
-- description = "Computer name, short or long"
-- [params.logon_id]
-- type = "string"
-- default = "0x3e7"
-- description = "As the log has it (0x15daaf) or decimal"
-- ---
SELECT event_time, computer, kind, user_name, ip, logon_id, text, event_key
FROM activity
WHERE short_host(computer) = short_host($computer)
    AND (logon_id = as_integer($logon_id)
        OR logon_id IN (SELECT linked_logon_id FROM logon WHERE logon_id = as_integer($logon_id) AND short_host(computer) = short_host($computer)))
ORDER BY event_time, event_key
