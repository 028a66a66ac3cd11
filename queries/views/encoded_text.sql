-- ---
-- id = "encoded_text"
-- title = "Commands and scripts that may hide something"
-- description = """What `detect` looks into for encoded layers (table decoded_text): long base64, strings that are joined, formatted or
-- spelled out. One row a text; event_keys are the records that have it (the first part of a script block)."""
-- ---
-- A cheap choice and no verdict: most rows give no layer. 16 characters of base64 are 6 letters of UTF-16.
SELECT text, list_sort(list(event_key)) AS event_keys
FROM command_text
WHERE regexp_matches(text, concat_ws('|',
    '[A-Za-z0-9+/]{40}', '(?i)-e[a-z]*\s+["'']?[a-z0-9+/]{16}',
    '["'']\s*\+\s*["'']', '["'']\s*-f\s*["'']', '(?i)\[\s*char', '`[c-zC-Z]'))
GROUP BY text
