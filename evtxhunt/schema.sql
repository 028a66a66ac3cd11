-- The case database: a public contract. Scripts and canned queries may rely on every name below.
-- All times are UTC (TIMESTAMP without zone, microseconds). Unknown is NULL.
-- string columns name their compression because DuckDB's own search for one costs a third of an ingest and
-- finds the same (measured: 1.58 s against 1.08 s for 235 MB of logs, equal size); it never picks zstd.

CREATE TABLE case_info (
    schema_version INTEGER NOT NULL,    -- 3; a newer evtxhunt refuses nothing older without saying how to migrate
    created_by VARCHAR NOT NULL         -- evtxhunt version that made the case
);

-- What was run on this case, in order: the manifest. The only table that holds wall-clock times.
CREATE TABLE run (
    run_id INTEGER PRIMARY KEY,
    command VARCHAR NOT NULL,           -- 'ingest', 'detect'
    arguments VARCHAR NOT NULL,         -- JSON object
    versions VARCHAR NOT NULL,          -- JSON object: evtxhunt, evtx, duckdb, python
    rule_set_sha256 VARCHAR,            -- SHA-256 over the detections that ran; NULL for ingest
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP                  -- NULL: killed or still running
);

-- One row a log that was read, copies included. Evidence is opened read-only.
CREATE TABLE source_file (
    source_file_id INTEGER PRIMARY KEY,
    path VARCHAR NOT NULL,              -- absolute path as found; bytes that are not UTF-8 as \xNN. In a container:
                                        -- the path there as stored, control characters as \xNN too
    container VARCHAR,                  -- archive or image that holds it, when it is inside one: /e/a.zip; then "!" and
                                        -- the archive inside, or partition and shadow copy: /e/a.zip!data.zip, /e/d.E01!p1!vss2
    sha256 VARCHAR NOT NULL,            -- of the whole file, lower-case hex
    size BIGINT NOT NULL,               -- bytes
    status VARCHAR NOT NULL,            -- 'complete', 'damaged' (see parse_failure), 'copy' (of copy_of)
    copy_of INTEGER,                    -- source_file_id with the same content
    host VARCHAR,                       -- the collection's own label (--host or folder); NULL: by Computer
    channel VARCHAR,                    -- most frequent one in the file; slack counts if there is nothing else
    computer VARCHAR,                   -- likewise
    is_hidden BOOLEAN NOT NULL,         -- name or folder begins with a dot
    is_dirty BOOLEAN,                   -- header flag 1: not closed cleanly
    is_full BOOLEAN,                    -- header flag 2: log was full
    is_header_crc_valid BOOLEAN,        -- NULL: the header says that the file has no checksums, or is cut off
    chunk_crc_mismatches INTEGER,       -- chunks whose header or data CRC32 does not fit; none in a file without
    chunks INTEGER,                     -- chunks that hold something
    first_header_record_id UBIGINT,     -- lowest and highest id in the record headers
    last_header_record_id UBIGINT,
    next_header_record_id UBIGINT,      -- what the file header says comes next; stale in a dirty log
    parser_version VARCHAR NOT NULL,    -- of the fast parser
    -- The accounts. expected = parsed + rescued + failed, always.
    expected BIGINT,                    -- records that the chunk and record headers announce, by our own walk
    parsed BIGINT,                      -- rendered by the fast parser
    rescued BIGINT,                     -- dropped by the fast parser, rendered by our own one record at a time
    failed BIGINT,                      -- each has its row in parse_failure, the first 100,000 of a log
    -- Beside them:
    slack BIGINT,                       -- rendered from free space, or from inside of other records; NULL: not looked for
    carved BIGINT,                      -- rendered from chunks found in a blob (ingest --carve); NULL: not looked for
    duplicate BIGINT                    -- of all these, those that are a row of event_copy and not of event
);

-- The accounts of single chunks: of every carved one, and of those where not every record was parsed or a CRC32 is wrong.
CREATE TABLE chunk_account (
    source_file_id INTEGER NOT NULL,
    chunk INTEGER NOT NULL,             -- number of the 64 KiB chunk, from 0; of a blob in the order of offsets
    file_offset BIGINT NOT NULL,        -- bytes from the start of the file
    size INTEGER NOT NULL,              -- bytes of it that are there: 65536, or fewer where it is cut off
    is_crc_valid BOOLEAN,               -- header and data; NULL: it has no checksums
    first_header_record_id UBIGINT,     -- lowest and highest id in the record headers that were met
    last_header_record_id UBIGINT,
    expected INTEGER NOT NULL,          -- = parsed + rescued + failed, of live space, whatever origin its events have
    parsed INTEGER NOT NULL,
    rescued INTEGER NOT NULL,
    failed INTEGER NOT NULL
);

-- What was read by our own parser, one row a record, the first 100,000 of a log: rescued ones, and those in slack
-- whether rendered or not. Records of carved chunks that the fast parser read are in event only.
CREATE TABLE recovered_record (
    source_file_id INTEGER NOT NULL,
    origin VARCHAR NOT NULL,            -- 'rescued', 'slack', 'carved'
    chunk INTEGER,                      -- number of the 64 KiB chunk, from 0; of a blob in the order of offsets
    file_offset BIGINT NOT NULL,        -- bytes from the start of the file to the record
    size BIGINT NOT NULL,               -- bytes of the record, as its header says
    header_record_id UBIGINT NOT NULL,
    written_time TIMESTAMP,             -- FILETIME of the record header
    state VARCHAR NOT NULL,             -- 'whole'; 'borrowed': its template or names stand where newer records were
                                        -- written, or in another chunk, and fit; 'stale': they are overwritten;
                                        -- 'damaged': unreadable
    reason VARCHAR,                     -- why the fast parser left it out, or why it is not whole
    remains VARCHAR USING COMPRESSION zstd,  -- JSON that a parser made of a damaged one: no evidence, a hint at best
    event_key BIGINT                    -- the event it became, or whose copy it is; NULL: not rendered
);

-- Files below the given paths that are no event logs or could not be read; not an error, but named. In a container:
-- what is named .evtx and is none, what is refused or could not be read; and one row for the container itself with the
-- number of all other members.
CREATE TABLE skipped_file (
    path VARCHAR PRIMARY KEY,           -- in a container: container!path
    reason VARCHAR NOT NULL,            -- 'empty', 'not an event log', 'unreadable: ...', 'refused: ...', ...
    size BIGINT
);

-- One row for each thing that could not be read. Nothing is skipped without a row.
CREATE TABLE parse_failure (
    source_file_id INTEGER NOT NULL,
    scope VARCHAR NOT NULL,             -- 'record': exactly one expected record; 'chunk', 'file': count unknown
    chunk INTEGER,                      -- number of the 64 KiB chunk, from 0
    file_offset BIGINT,                 -- bytes from the start of the file; NULL: the header itself is gone
    header_record_id UBIGINT,           -- id in the record header, if known
    reason VARCHAR NOT NULL
);

-- One row a record. event_data has every payload value under its original name; the columns after it
-- repeat the values that the queries use most, typed and fast to filter.
CREATE TABLE event (
    event_key BIGINT NOT NULL,          -- unique; the same for the same evidence ingested in the same order
    source_file_id INTEGER NOT NULL,
    event_record_id UBIGINT USING COMPRESSION bitpacking,  -- System/EventRecordID: cite this one, with its source file
    header_record_id UBIGINT,           -- id in the record header; differs in filtered exports, which renumber
    record_offset BIGINT,               -- bytes from the start of the file
    event_time TIMESTAMP,               -- System/TimeCreated@SystemTime
    written_time TIMESTAMP,             -- FILETIME of the record header; differs in exports, 1601 in some
    origin VARCHAR NOT NULL USING COMPRESSION dict_fsst,            -- 'live', 'rescued', 'slack', 'carved'
    host VARCHAR USING COMPRESSION dict_fsst,                       -- source_file.host, else computer
    computer VARCHAR USING COMPRESSION dict_fsst,                   -- System/Computer as written
    channel VARCHAR USING COMPRESSION dict_fsst,
    provider VARCHAR USING COMPRESSION dict_fsst,                   -- System/Provider@Name
    provider_guid VARCHAR USING COMPRESSION dict_fsst,              -- lower case, without braces
    event_source_name VARCHAR USING COMPRESSION dict_fsst,          -- System/Provider@EventSourceName
    event_id INTEGER,
    qualifiers INTEGER,                 -- System/EventID@Qualifiers of classic logs
    version INTEGER,
    level INTEGER,                      -- 0 always, 1 critical, 2 error, 3 warning, 4 information, 5 verbose
    task INTEGER,
    opcode INTEGER,
    keywords VARCHAR USING COMPRESSION dict_fsst,                   -- hex as written
    user_sid VARCHAR USING COMPRESSION dict_fsst,                   -- System/Security@UserID
    process_id UBIGINT,                 -- System/Execution@ProcessID: who wrote the event
    thread_id UBIGINT,
    execution_data VARCHAR USING COMPRESSION dict_fsst,             -- JSON of System/Execution when it has more
    activity_id VARCHAR USING COMPRESSION dict_fsst,                -- lower case, without braces
    related_activity_id VARCHAR USING COMPRESSION dict_fsst,
    event_data VARCHAR USING COMPRESSION zstd,  -- JSON text of EventData, else UserData, else what the record has instead
    rendering_info VARCHAR USING COMPRESSION zstd,                  -- JSON of RenderingInfo in forwarded events
    -- Hot columns: EventData values under their own names in snake_case. Chosen by use: of SigmaHQ's 2,858
    -- Windows rules (8eaafff1f) the number behind each reads that field; S where the session
    -- correlation joins on it. ScriptBlockText (178) stays out: it would be stored twice and is only in 4104.
    target_user_name VARCHAR USING COMPRESSION dict_fsst,           -- 13 S
    target_domain_name VARCHAR USING COMPRESSION dict_fsst,         --  0 S
    target_user_sid VARCHAR USING COMPRESSION dict_fsst,            --  2 S
    target_logon_id BIGINT,                                         --  1 S  (hex text as integer)
    subject_user_name VARCHAR USING COMPRESSION dict_fsst,          -- 14 S
    subject_domain_name VARCHAR USING COMPRESSION dict_fsst,        --  1 S
    subject_logon_id BIGINT,                                        --  2 S
    logon_type INTEGER,                                             -- 13 S
    ip_address VARCHAR USING COMPRESSION dict_fsst,                 --  9 S  as written; see macro clean_ip
    workstation_name VARCHAR USING COMPRESSION dict_fsst,           --  4 S
    authentication_package_name VARCHAR USING COMPRESSION dict_fsst, -- 5 S
    status VARCHAR USING COMPRESSION dict_fsst,                     --  3 S
    service_name VARCHAR USING COMPRESSION dict_fsst,               -- 34 S
    image VARCHAR USING COMPRESSION dict_fsst,                      -- 1440
    command_line VARCHAR USING COMPRESSION dict_fsst,               -- 1116
    original_file_name VARCHAR USING COMPRESSION dict_fsst,         -- 635
    parent_image VARCHAR USING COMPRESSION dict_fsst,               -- 346
    parent_command_line VARCHAR USING COMPRESSION dict_fsst,        -- 83
    new_process_name VARCHAR USING COMPRESSION dict_fsst,           -- Image of 4688, 1440 by mapping
    parent_process_name VARCHAR USING COMPRESSION dict_fsst,        -- ParentImage of 4688, 346 by mapping
    process_name VARCHAR USING COMPRESSION dict_fsst,               -- 21
    logon_id BIGINT,                                                --  3 S  Sysmon's LogonId
    process_guid VARCHAR USING COMPRESSION dict_fsst,               --  0 S  lower case, without braces
    parent_process_guid VARCHAR USING COMPRESSION dict_fsst,        --  0 S
    target_object VARCHAR USING COMPRESSION dict_fsst,              -- 278
    details VARCHAR USING COMPRESSION dict_fsst,                    -- 180
    target_filename VARCHAR USING COMPRESSION dict_fsst,            -- 244
    image_loaded VARCHAR USING COMPRESSION dict_fsst,               -- 126
    source_image VARCHAR USING COMPRESSION dict_fsst,               -- 34
    target_image VARCHAR USING COMPRESSION dict_fsst                -- 34
);

-- Where else a record was seen: other files with the same content, backups, shadow copies, slack, carved chunks.
-- The rules of what is a copy and what a conflict are in evtxhunt/duplicates.py.
CREATE TABLE event_copy (
    event_key BIGINT NOT NULL,          -- the event: the live record before one from slack, then the one met first
    source_file_id INTEGER NOT NULL,
    header_record_id UBIGINT,
    record_offset BIGINT,               -- bytes from the start of that file
    origin VARCHAR NOT NULL,            -- of the copy, as in event
    rendering_info VARCHAR              -- JSON of the copy's RenderingInfo, where it was forwarded
);

-- Two records of one computer, channel and EventRecordID that differ in time or content: both are events. Where there
-- are more, one row for each but the first: with the first of its time or, if that is itself, with the first of all.
CREATE TABLE event_conflict (
    event_key BIGINT NOT NULL,          -- the lower key of both
    other_event_key BIGINT NOT NULL
);

-- Which EventRecordIDs a file holds of which log, its copies of records included. Not those without a number, computer
-- or channel.
CREATE TABLE record_span (
    source_file_id INTEGER NOT NULL,
    computer VARCHAR NOT NULL,          -- as written
    channel VARCHAR NOT NULL,
    first_number UBIGINT NOT NULL,      -- EventRecordID
    last_number UBIGINT NOT NULL,
    records BIGINT NOT NULL,
    numbers BIGINT NOT NULL             -- different EventRecordIDs among them
);

-- What the detections found; dropped and made again by each `detect`.
CREATE TABLE finding (
    finding_id BIGINT PRIMARY KEY,      -- 1.. in the order of event_time, detection_id, evidence
    origin VARCHAR NOT NULL,            -- 'query' or 'sigma'
    detection_id VARCHAR NOT NULL,      -- file stem, or the Sigma rule's UUID, or its file where it has none
    title VARCHAR NOT NULL,
    level VARCHAR NOT NULL,             -- 'informational', 'low', 'medium', 'high', 'critical'; the finding's own
    attack VARCHAR[] NOT NULL,          -- ATT&CK technique ids
    event_time TIMESTAMP,
    host VARCHAR,
    computer VARCHAR,
    user_name VARCHAR,
    summary VARCHAR NOT NULL,
    details VARCHAR,                    -- JSON object of the detection's own further columns; of a Sigma rule
                                        -- `matched` (field: value) and `rule` (file, sha256, author, licence)
    allowed_reason VARCHAR              -- why it is known to be good (detect --allow); NULL: it is shown
);

CREATE TABLE finding_evidence (
    finding_id BIGINT NOT NULL,
    event_key BIGINT NOT NULL
);

-- How each detection of the last `detect` ended.
CREATE TABLE detection_run (
    detection_id VARCHAR PRIMARY KEY,   -- as in finding; of a Sigma file that cannot be read its name
    origin VARCHAR NOT NULL,            -- 'query' or 'sigma'
    title VARCHAR NOT NULL,
    level VARCHAR NOT NULL,             -- of the detection; its findings may have another
    sha256 VARCHAR NOT NULL,            -- of the query or rule file
    state VARCHAR NOT NULL,             -- 'ran', 'failed'; of a Sigma rule also 'not applicable': the case holds no events
                                        -- of its log source or it lacks a placeholder, and 'left out': not asked for
    findings BIGINT,                    -- NULL: it did not run to its end
    error VARCHAR,                      -- why it failed; of a rule with file and line
    reason VARCHAR,                     -- why it is not applicable or left out
    about VARCHAR USING COMPRESSION zstd  -- JSON of a Sigma rule: file, author, licence, ...; with findings its text, too
);

-- What scripts and command lines hide, layer by layer, made by `detect` from the view encoded_text. The text itself
-- stays in its event. One record may hide several things; layers of depth 2 were found in one of depth 1.
CREATE TABLE decoded_text (
    event_key BIGINT NOT NULL,          -- the record; of a script block its first part
    layer INTEGER NOT NULL,             -- 1.. within the record, outer ones first
    depth INTEGER NOT NULL,             -- how many steps it took
    method VARCHAR NOT NULL,            -- of the last step: 'base64', 'base64 gzip', 'base64 deflate', 'base64 zlib',
                                        -- 'joined strings' (changed lines only), 'numbers', 'reversed'
    text VARCHAR NOT NULL USING COMPRESSION zstd
);
