-- ---
-- id = "hash_search"
-- title = "Programs by hash"
-- description = """Processes, and loaded images, whose logged hash contains a value: MD5, SHA-1, SHA-256 or import hash."""
-- [params.hash]
-- type = "string"
-- default = "0000"
-- description = "The hash, or a part of it"
-- ---
SELECT event_time, computer, event_id, coalesce(image_loaded, image) AS image, command_line, event_data->>'Hashes' AS hashes, event_record_id, event_key
FROM counted_event
WHERE provider = 'Microsoft-Windows-Sysmon' AND event_id IN (1, 6, 7, 15) AND contains(upper(event_data->>'Hashes'), upper($hash))
ORDER BY event_time, event_key
