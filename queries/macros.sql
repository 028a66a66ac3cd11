-- Small functions that the canned queries share. Temporary: made on each connection, so an edit takes effect at once.

-- Values as Windows writes them ------------------------------------------------------------------------------------

-- The value of an EventData field under its original name.
CREATE OR REPLACE TEMP MACRO field(data, name) AS json_extract_string(data, '$."' || name || '"');

-- Several fields at once, as a structure: fields(event_data, 'IpPort, KeyLength').IpPort. Each -> would read the JSON again.
CREATE OR REPLACE TEMP MACRO fields(data, names) AS json_transform(data, '{"' || replace(names, ', ', '":"VARCHAR","') || '":"VARCHAR"}');

-- nth value (from 1) of a classic log's unnamed Data list: {"Data":{"#text":[...]}}, or of its only value.
CREATE OR REPLACE TEMP MACRO unnamed(data, n) AS CASE
    WHEN json_type(data, '$.Data."#text"') = 'ARRAY' THEN json_extract_string(data, '$.Data."#text"[' || (n - 1) || ']')
    WHEN n = 1 THEN coalesce(json_extract_string(data, '$.Data."#text"'), json_extract_string(data, '$.Data'))
END;

-- "-" and "" -> NULL; without the blanks at the end that "NtLmSsp " and "Advapi  " have.
CREATE OR REPLACE TEMP MACRO known(value) AS nullif(nullif(trim(value), '-'), '');

-- 1376, "1376", "0x560" -> 1376.
CREATE OR REPLACE TEMP MACRO as_integer(value) AS TRY_CAST(value AS BIGINT);

-- Lower case, without braces; the all-zero GUID means none -> NULL.
CREATE OR REPLACE TEMP MACRO clean_guid(value) AS
    nullif(nullif(nullif(lower(trim(value, ' {}')), '00000000-0000-0000-0000-000000000000'), '-'), '');

-- "::ffff:10.1.2.3" -> "10.1.2.3"; "-" and "" -> NULL.
CREATE OR REPLACE TEMP MACRO clean_ip(address) AS known(regexp_replace(lower(trim(address)), '^::ffff:', ''));

CREATE OR REPLACE TEMP MACRO is_loopback(address) AS coalesce(
    clean_ip(address) IN ('::1', '0:0:0:0:0:0:0:1') OR starts_with(clean_ip(address), '127.'), false);

-- Private, link-local and loopback addresses.
CREATE OR REPLACE TEMP MACRO is_private_ip(address) AS coalesce(regexp_matches(
    clean_ip(address), '^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|127\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|::1$)'), false);

-- The part of an address that neighbours share, roughly: without its last number.
CREATE OR REPLACE TEMP MACRO neighbourhood(address) AS regexp_extract(address, '^.*[.:]');

-- "SRV02.corp.example" -> "srv02": how computers are compared.
CREATE OR REPLACE TEMP MACRO short_host(name) AS lower(split_part(name, '.', 1));

-- DOMAIN\user, or the user alone.
CREATE OR REPLACE TEMP MACRO account(domain_name, user_name) AS
    coalesce(known(domain_name) || '\' || known(user_name), known(user_name));

-- The two halves of "DOMAIN\user"; a name without domain has only the second.
CREATE OR REPLACE TEMP MACRO account_domain(name) AS nullif(regexp_extract(name, '^(.*)\\', 1), '');
CREATE OR REPLACE TEMP MACRO account_user(name) AS known(regexp_extract(name, '([^\\]*)$', 1));

-- Machine accounts and the service identities that log on all the time.
CREATE OR REPLACE TEMP MACRO is_machine_account(user_name) AS coalesce(
    ends_with(user_name, '$')
    OR upper(user_name) IN ('SYSTEM', 'LOCAL SERVICE', 'NETWORK SERVICE', 'ANONYMOUS LOGON')
    OR regexp_matches(user_name, '^(DWM|UMFD)-\d+$'), false);

-- "C:\Windows\System32\CMD.EXE" -> "cmd.exe".
CREATE OR REPLACE TEMP MACRO file_name(path) AS lower(regexp_extract(path, '([^\\/]*)$', 1));

-- What an NTSTATUS (4625, 4776) or a Kerberos code (4768, 4769, 4771) means. The first are from ntstatus.h, the others
-- from RFC 4120 section 7.5.9. A map and no CASE: a CASE in a filter reads the JSON behind `code` once for each branch.
CREATE OR REPLACE TEMP MACRO status_meaning(code) AS coalesce(MAP {
    '0x0': 'success',
    '0xc000006a': 'wrong password',                    '0x18': 'wrong password',
    '0xc0000064': 'no such user',                      '0x6': 'no such user',
    '0xc000006d': 'wrong user name or password',
    '0xc000006e': 'account restriction',               '0xc': 'logon hours or workstation not allowed',
    '0xc000006f': 'outside logon hours',
    '0xc0000070': 'workstation not allowed',
    '0xc0000071': 'password expired',                  '0x17': 'password expired',
    '0xc0000072': 'account disabled',                  '0x12': 'account disabled, expired or locked',
    '0xc0000193': 'account expired',
    '0xc0000224': 'password must change',
    '0xc0000234': 'account locked',
    '0xc0000133': 'clock skew',                        '0x25': 'clock skew',
    '0xc000015b': 'logon type not granted',
    '0xc000018d': 'trust relationship broken',
    '0xc0000192': 'netlogon not started',
    '0xc0000413': 'blocked by authentication policy',
    '0xe': 'encryption type not supported',            '0x10': 'smart card logon not supported',
    '0x7': 'no such service',                          '0x19': 'pre-authentication required',
    '0x1b': 'needs user to user',                      '0x1f': 'damaged ticket',
    '0x20': 'ticket expired'
}[lower(code)], code);

-- A line "Name=value" of the text block in Windows PowerShell events, "Name = value" in 4103's ContextInfo.
CREATE OR REPLACE TEMP MACRO line_value(block, name) AS
    nullif(trim(regexp_extract(block, '(?m)^[ \t]*' || name || ' ?=([^\r\n]*)', 1)), '');

-- HostApplication holds a whole command line, which may go on over several lines up to the next key.
CREATE OR REPLACE TEMP MACRO host_application(block) AS
    nullif(trim(regexp_extract(block, '(?ms)^[ \t]*HostApplication=(.*?)\s*^[ \t]*EngineVersion=', 1)), '');

CREATE OR REPLACE TEMP MACRO unescape_xml(text) AS
    replace(replace(replace(replace(replace(text, '&lt;', '<'), '&gt;', '>'), '&quot;', '"'), '&apos;', ''''), '&amp;', '&');

-- Hex digits of UTF-16LE text -> text; NUL is dropped and surrogate halves become "?", enough to read and search.
-- The lambda takes all it needs from its argument: what it captured would be computed again for each character.
CREATE OR REPLACE TEMP MACRO decode_utf16_hex(digits) AS array_to_string(list_transform(
    regexp_extract_all(upper(digits), '[0-9A-F]{4}'),
    lambda code: CASE WHEN code = '0000' THEN ''
                      WHEN right(code, 2) BETWEEN 'D8' AND 'DF' THEN '?'
                      ELSE chr(('0x' || right(code, 2) || left(code, 2))::INTEGER) END), '');

-- Bytes of base64 that may lack its padding; NULL if it is none.
CREATE OR REPLACE TEMP MACRO base64_bytes(value) AS
    TRY(from_base64(rpad(rtrim(value, '='), ((len(rtrim(value, '=')) + 3) // 4 * 4)::INTEGER, '=')));

-- Base64 of UTF-16LE text, as PowerShell's -EncodedCommand takes it -> text; NULL if it is no base64.
CREATE OR REPLACE TEMP MACRO decode_utf16_base64(value) AS decode_utf16_hex(hex(base64_bytes(value)));

-- What to look for --------------------------------------------------------------------------------------------------

-- The base64 that a PowerShell command line gives to -EncodedCommand; any beginning of the name will do for PowerShell
-- (-e, -ec, -enc, ...), a slash or a long dash will do for the hyphen. 16 characters are 6 letters of script.
CREATE OR REPLACE TEMP MACRO encoded_command(command_line) AS nullif(regexp_extract(
    command_line, '(?i)(?:powershell|pwsh).*?[\s"''][-/–—](?:e|ec|en[a-z]*)[\s:]+["'']?([a-z0-9+/]{16,}={0,2})', 1), '');

-- PowerShell ignores a backtick before most letters: d`ownload. Text without any is passed on as it is, which is faster.
CREATE OR REPLACE TEMP MACRO without_backticks(text) AS CASE WHEN contains(text, '`') THEN replace(text, '`', '') ELSE text END;

-- Fetching code or files from elsewhere by PowerShell or a helper that Windows brings along.
CREATE OR REPLACE TEMP MACRO download_cradle(text) AS nullif(regexp_extract(without_backticks(text), '(?i)' || concat_ws('|',
    'download(?:string|file|data)(?:async|taskasync)?\b', 'net\.webclient', 'openread\(', 'start-bitstransfer',
    '(?:invoke-webrequest|invoke-restmethod|\biwr|\birm|\bcurl|\bwget)\b[^|;]*?https?://[^|;]*[|;]\s*(?:iex|invoke-expression)\b',
    '(?:iex|invoke-expression)\b[^|;]{0,20}\(\s*(?:iwr|irm|invoke-webrequest|invoke-restmethod|curl|wget)\b',
    'msxml2\.(?:server)?xmlhttp', 'winhttp\.winhttprequest')), '');

-- Names from offensive tools and the calls that they need; what is common in administration stays out.
CREATE OR REPLACE TEMP MACRO offensive_keyword(text) AS nullif(regexp_extract(without_backticks(text), '(?i)' || concat_ws('|',
    'mimikatz', 'sekurlsa', 'kerberoast', 'minidumpwritedump', 'rtlcreateuserthread', 'virtualalloc(?:ex)?\b',
    'virtualprotect\b', 'writeprocessmemory', 'createremotethread', 'queueuserapc', 'getdelegateforfunctionpointer',
    'amsiutils', 'amsiinitfailed', 'amsiscanbuffer', 'reflection\.assembly\]?::load\(', 'invoke-obfuscation',
    'invoke-(?:shellcode|reflectivepeinjection|dllinjection|tokenmanipulation|wmicommand|smbexec|psexec)\b',
    'invoke-(?:bloodhound|userhunter|powershelltcp|psinject|ninjacopy|rubeus)\b',
    'get-(?:gpppassword|keystrokes|timedscreenshot|vaultcredential|domaincontroller|netdomain|netuser|netcomputer|netlocalgroup)\b',
    'out-minidump', 'powersploit', 'empire\.', 'powerview', 'sharphound', 'dumpcreds', 'set-masterbootrecord')), '');

-- Service, program and pipe names of PsExec and its relatives.
CREATE OR REPLACE TEMP MACRO is_psexec_name(name) AS coalesce(
    regexp_matches(name, '(?i)^(psexesvc|paexec|remcom(svc|_)|csexec(svc)?|winexesvc)'), false);

-- Programs that tell about the user, the computer and the domain: what somebody runs who has just arrived.
CREATE OR REPLACE TEMP MACRO is_looking_around(program, command_line) AS
    program IN ('whoami.exe', 'ipconfig.exe', 'systeminfo.exe', 'nltest.exe', 'quser.exe', 'qwinsta.exe', 'query.exe', 'arp.exe', 'route.exe',
        'netstat.exe', 'tasklist.exe', 'hostname.exe', 'dsquery.exe', 'adfind.exe', 'nbtstat.exe', 'nslookup.exe', 'klist.exe', 'cmdkey.exe')
    OR coalesce(program IN ('net.exe', 'net1.exe')
        AND regexp_matches(command_line, '(?i)\b(user|group|localgroup|view|share|session|use|accounts|time)\b'), false);

-- Groups whose members rule a computer or the domain: by SID, as names are translated. Built in: Administrators, Account,
-- Server, Print and Backup Operators, Remote Management Users; of the domain: Domain, Schema and Enterprise Admins,
-- Group Policy Creator Owners, Key Admins.
CREATE OR REPLACE TEMP MACRO is_privileged_group(sid) AS coalesce(regexp_matches(
    sid, '^S-1-5-(32-(544|548|549|550|551|580)|21-.*-(512|518|519|520|526|527))$'), false);

-- Sentences ---------------------------------------------------------------------------------------------------------

-- Log text for a summary: one line, cut at n characters.
CREATE OR REPLACE TEMP MACRO excerpt(value, n) AS CASE
    WHEN len(value) > n THEN trim(regexp_replace(left(value, n), '\s+', ' ', 'g')) || '…'
    ELSE trim(regexp_replace(value, '\s+', ' ', 'g')) END;

-- "1 failure", "2 failures".
CREATE OR REPLACE TEMP MACRO counted(n, noun) AS n || ' ' || noun || CASE WHEN n = 1 THEN '' ELSE 's' END;

-- 2025-03-04 09:05:04Z. A record that somebody made or changed may have no time; it must not make a whole text NULL.
CREATE OR REPLACE TEMP MACRO show_time(moment) AS coalesce(strftime(moment, '%Y-%m-%d %H:%M:%SZ'), 'an unknown time');

-- "between A and B", or "at A" when they are the same second.
CREATE OR REPLACE TEMP MACRO show_span(first_time, last_time) AS CASE
    WHEN show_time(first_time) = show_time(last_time) THEN 'at ' || show_time(first_time)
    ELSE 'between ' || show_time(first_time) || ' and '
        || CASE WHEN first_time::DATE = last_time::DATE THEN strftime(last_time, '%H:%M:%SZ') ELSE show_time(last_time) END
    END;

-- The end of a long path, where the names are: "…\PowerShell\ScriptBlockLogging".
CREATE OR REPLACE TEMP MACRO path_end(path, n) AS CASE WHEN len(path) > n THEN '…' || right(path, n) ELSE path END;

-- The different values of a list in order, at most n of them: "a, b, c and 4 more"; each cut at 80 characters.
CREATE OR REPLACE TEMP MACRO name_list(items, n) AS
    array_to_string(list_transform(list_sort(list_distinct(items))[1:n], lambda item: excerpt(item, 80)), ', ')
    || CASE WHEN len(list_distinct(items)) > n THEN ' and ' || (len(list_distinct(items)) - n) || ' more' ELSE '' END;

-- Windows over time -------------------------------------------------------------------------------------------------

-- Whether a row lies in some window of so many minutes that is full: `ahead` counts what happened from each row on within
-- one, and `least` makes it full. Rows of one series have the same `one`, `two` and `three` (give NULL where there are fewer).
CREATE OR REPLACE TEMP MACRO in_full_window(moment, ahead, least, minutes, one, two, three) AS
    moment <= to_minutes(minutes) + max(moment) FILTER (ahead >= least) OVER (PARTITION BY one, two, three ORDER BY moment);

-- 1 where a row begins a new island: the first one, or more than so many minutes after the one before.
CREATE OR REPLACE TEMP MACRO begins_island(moment, previous, minutes) AS
    (previous IS NULL OR moment - previous > to_minutes(minutes))::INTEGER;
