-- ---
-- id = "text_search"
-- title = "Text in command lines and scripts"
-- description = """Command lines, PowerShell script blocks (joined from their parts) and module log that contain a text."""
-- [params.text]
-- type = "string"
-- default = "Invoke-Command"
-- description = "Text to look for; case does not matter"
-- ---
SELECT
    event_time, computer, source, user_name, process_id,
    excerpt(substr(text, greatest(instr(lower(text), lower($text)) - 60, 1), 400), 300) AS text,
    event_key
FROM command_text
WHERE contains(lower(text), lower($text))
ORDER BY event_time, event_key
