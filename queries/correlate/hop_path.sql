-- ---
-- id = "hop_path"
-- title = "Chains of hops"
-- description = """One row a way from a first session over one or more hops: every prefix of a chain is a row, the longest ones are marked."""
-- [columns]
-- path_id = "in the order of length and time; an id within this case"
-- entry_session_id = "the first session of the chain"
-- hop_ids = "the hops, in their order"
-- computers = "hosts from the first source on"
-- user_names = "accounts from the first session on"
-- account_changes = "how often the account changes on the way"
-- methods = "of each hop"
-- start_time = "of the first session"
-- end_time = "of the last hop"
-- is_failed = "the last hop was refused"
-- is_longest = "no further hop follows"
-- ---
WITH RECURSIVE chain AS (
    SELECT session.session_id AS entry_session_id, [hop.hop_id] AS hop_ids,
        [coalesce(session.source_computer, session.source_ip, 'unknown'), hop.via_computer, hop.to_computer] AS computers,
        [hop.user_name, hop.next_user_name] AS user_names, [hop.method] AS methods, session.start_time, hop.event_time AS end_time,
        hop.is_failed, hop.to_session_id
    FROM hop JOIN remoting_session AS session ON session.session_id = hop.from_session_id
    WHERE NOT EXISTS (SELECT 1 FROM hop AS before WHERE before.to_session_id = session.session_id)
    UNION ALL
    SELECT entry_session_id, chain.hop_ids || [hop.hop_id], computers || [hop.to_computer], user_names || [hop.next_user_name],
        methods || [hop.method], start_time, hop.event_time, hop.is_failed, hop.to_session_id
    FROM chain JOIN hop ON hop.from_session_id = chain.to_session_id AND hop.event_time >= chain.end_time
    WHERE NOT list_contains(chain.hop_ids, hop.hop_id)
)
SELECT row_number() OVER (ORDER BY len(hop_ids), end_time, hop_ids) AS path_id, entry_session_id, hop_ids, computers, user_names,
    len(list_filter(user_names, lambda name, number: number > 1 AND lower(name) <> lower(user_names[number - 1]))) AS account_changes,
    methods, start_time, end_time, is_failed,
    NOT EXISTS (SELECT 1 FROM hop WHERE hop.from_session_id = chain.to_session_id AND hop.event_time >= chain.end_time) AS is_longest
FROM chain
ORDER BY path_id
