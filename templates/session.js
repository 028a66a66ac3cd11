// A remoting session on a page of its own: the attack in order, who witnessed it, and what is missing.

const sessionPage = document.getElementById("session-page");
const sessionOf = new Map(data.sessions.map((session) => [session.session_id, session]));

// The steps of a session and the roles of its witnesses that belong to each.
const SESSION_STEPS = [
  ["Authentication", ["client_session", "connection", "explicit_credential", "tgt", "ticket", "winrm_authentication", "logon", "special_logon"]],
  ["Shell", ["client_shell", "shell", "host_process", "provider", "engine_start", "console"]],
  ["What ran", null],
  ["Second hop", null],
  ["End", ["shell_end", "client_close", "engine_stop", "host_process_end", "logoff"]],
];
const LOGON_TYPES = { 3: "network", 8: "network cleartext: the password went along", 2: "interactive", 10: "remote interactive", 9: "new credentials" };
const CONTENT_ROLES = new Set(["script_block", "module_log", "child_process", "descendant_process"]);

function words(name) {
  return name.replaceAll("_", " ");
}

function confidenceChip(confidence) {
  return element("span", { class: `confidence ${confidenceClass(confidence)}` }, plain(confidence, 12));
}

function witnessTable(witnesses, caption) {
  return recordTable(witnesses.map((witness) => witness.record), witnesses.length, caption, ["Shows", "Linked by"],
    witnesses.map((witness) => [plain(words(witness.role), 40), plain(witness.rule, 80)]));
}

function layerBlocks(layers) {
  return layers.map((layer, index) => element("figure", { class: "layer" },
    element("figcaption", {}, `Layer ${index + 1}, decoded by ${plain(layer.method, 60)}${layer.length > layer.text.length ? `; the first ${layer.text.length.toLocaleString("en-US")} of ${count(layer.length, "character")}` : ""}`),
    element("pre", { tabindex: "0" }, show(layer.text, 4000))));
}

function commandItem(command, host) {
  const about = [];
  if (command.parts_found < command.parts_total) {
    about.push(`only ${command.parts_found} of ${command.parts_total} parts are there`);
  } else if (command.parts_total > 1) {
    about.push(`joined from ${command.parts_total} parts`);
  }
  if (command.is_flagged) {
    about.push("flagged by Windows itself");
  }
  if (command.length > command.text.length) {
    about.push(`the first ${command.text.length.toLocaleString("en-US")} of ${count(command.length, "character")}`);
  }
  const original = element("figure", { class: "layer" },
    element("figcaption", {}, command.layers.length > 0 ? "As logged" : "", about.length > 0 ? `${command.layers.length > 0 ? "; " : ""}${about.join("; ")}` : ""),
    element("pre", { tabindex: "0" }, show(command.text, 4000)));
  return element("li", { class: "ran" },
    element("p", { class: "ran-head" }, timeNode(command.event_time, host), " ", element("span", { class: "chip" }, plain(command.kind, 24)), " ",
      command.path === null ? "" : element("span", { class: "path" }, label(command.path, 120)), " ", citations(command.records, command.record_count)),
    element("div", { class: command.layers.length > 0 ? "layers" : "" }, original, ...layerBlocks(command.layers)));
}

function processTree(session, host) {
  const nodes = new Map();
  const roots = element("ul", { class: "tree" });
  for (const process of session.detail.processes) {
    const item = element("li", {},
      element("p", { class: "tree-line" }, timeNode(process.start_time, host), " ", element("b", {}, label(process.program, 60)), " ",
        element("code", {}, label(process.command_line, 400)), " ",
        element("span", { class: "under" }, `process ${process.process_id ?? "?"}, `, label(process.user_name, 60), ", ", citations(process.records, process.record_count, 2))),
      ...layerBlocks(process.layers));
    const parent = nodes.get(process.parent_key);
    if (parent === undefined) {
      roots.append(item);
    } else {
      if (parent.lastElementChild.localName !== "ul") {
        parent.append(element("ul", {}));
      }
      parent.lastElementChild.append(item);
    }
    nodes.set(process.process_key, item);
  }
  return roots;
}

function ranPart(session, host) {
  const { commands, command_count: commandCount, processes, process_count: processCount } = session.detail;
  const command = `evtxhunt timeline --session ${Number(session.session_id)}`;
  return [
    element("h4", {}, `Code and commands (${commandCount.toLocaleString("en-US")})`),
    commands.length === 0 ? element("p", {}, "None logged. That is no proof that none ran: see what is missing below.")
      : element("ol", { class: "ran-list" }, ...commands.map((item) => commandItem(item, host))),
    leftOut(commandCount - commands.length, "command", command),
    element("h4", {}, `Processes (${processCount.toLocaleString("en-US")})`),
    processes.length === 0 ? element("p", {}, "No process start of this session is in the logs.") : processTree(session, host),
    leftOut(processCount - processes.length, "process start", command),
  ];
}

function hopItems(session) {
  const items = [];
  for (const hop of data.hops) {
    if (hop.from_session_id === session.session_id || hop.to_session_id === session.session_id) {
      const other = hop.from_session_id === session.session_id ? hop.to_session_id : hop.from_session_id;
      const isOut = hop.from_session_id === session.session_id;
      items.push(element("li", {}, timeNode(hop.event_time, hostOf(hop.via)), ` ${isOut ? "On" : "Came"} from `, element("b", {}, label(hostOf(hop.via), 60)), " to ",
        element("b", {}, label(hostOf(hop.target), 60)), " as ", element("b", {}, label(hop.next_user_name, 60)), `, ${plain(words(hop.method), 40)}${hop.is_failed ? ", refused" : ""} `,
        other === null ? "" : element("a", { href: `#session-${Number(other)}` }, `session ${other}`), " ", confidenceChip(hop.confidence), " ",
        label(hop.reason, 300), " ", citations(hop.evidence, hop.evidence.length)));
    }
  }
  return items;
}

function stepBody(session, host, name, roles) {
  if (name === "What ran") {
    return ranPart(session, host);
  }
  if (name === "Second hop") {
    const items = hopItems(session);
    return [items.length === 0 ? element("p", {}, "None witnessed into or out of this session.") : element("ul", { class: "hop-list" }, ...items)];
  }
  const own = session.detail.witnesses.filter((witness) => roles.includes(witness.role));
  const missing = own.length === 0 ? [element("p", {}, "No record shows this; see what is missing below.")] : [witnessTable(own, `Records of ${name.toLowerCase()}`)];
  if (name === "End") {
    const when = session.end_time === null ? "not seen" : timeNode(session.end_time, host);
    return [element("p", {}, "Ended: ", when, `, ${plain(session.end_reason, 24)}`), ...missing];
  }
  return missing;
}

function gapTable(session) {
  const rowsOfGaps = session.detail.gaps.map((gap) => element("tr", {},
    element("th", { scope: "row" }, plain(words(gap.role), 40)), element("td", {}, label(gap.computer, 80)), element("td", {}, label(gap.channel, 80)),
    element("td", {}, gap.is_seen ? element("span", { class: "seen" }, "✓ seen") : element("strong", { class: "unseen" }, "✗ not seen")),
    element("td", {}, gap.is_seen ? "" : show(gap.reason, 400))));
  return element("div", { class: "scroll-region", role: "region", tabindex: "0", "aria-label": "Witnesses seen and missing" },
    element("table", { class: "gap-table" }, element("caption", { class: "visually-hidden" }, "Witnesses seen and missing"),
      element("thead", {}, element("tr", {}, ...["Witness", "Where", "Log", "Seen", "Why not"].map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rowsOfGaps)));
}

function sessionFindings(session) {
  const own = new Set(session.detail.witnesses.map((witness) => witness.record));
  const cited = findings.filter((finding) => finding.records.some((record) => own.has(record)));
  return cited.length === 0 ? element("p", {}, "No finding rests on a record of this session.")
    : element("ul", { class: "plain-list" }, ...cited.slice(0, 100).map((finding) => element("li", {}, shape(finding.level), " ",
      element("a", { href: `#finding-${Number(finding.finding_id)}` }, label(finding.title, 160)), " ", label(finding.summary, 200))));
}

function sessionContent(session) {
  const host = hostOf(session.target);
  const { detail } = session;
  const length = session.end_time === null || typeof session.end_time !== "number" ? "end not seen" : duration(session.end_time - session.start_time);
  const content = document.createDocumentFragment();
  const steps = SESSION_STEPS.map(([name, roles], index) => element("li", { class: "step" }, element("h3", {}, element("span", { class: "step-number" }, String(index + 1)), ` ${name}`),
    ...stepBody(session, host, name, roles)));
  const rest = detail.witnesses.filter((witness) => !CONTENT_ROLES.has(witness.role) && !SESSION_STEPS.some(([, roles]) => roles !== null && roles.includes(witness.role)));
  const logonId = detail.target_logon_id === null ? unknown() : typeof detail.target_logon_id === "number" ? `0x${detail.target_logon_id.toString(16)}` : show(detail.target_logon_id);
  content.append(
    element("p", { class: "eyebrow" }, plain(session.kind, 24), " session on ", label(host, 80)),
    element("h2", {}, `Session ${session.session_id}: `, label(session.source === null ? null : hostOf(session.source), 60), " → ", label(host, 60)),
    element("div", { class: "session-lead" }, confidenceChip(session.confidence), " confidence: ", show(session.reason, 400)),
    facts([
      ["Account", show(session.user_name, 160)], ["Runs as", session.run_as_user_name === null ? "the same account" : show(session.run_as_user_name, 160)],
      ["Began", timeNode(session.start_time, host)], ["Ended", session.end_time === null ? unknown() : timeNode(session.end_time, host)], ["Lasted", length],
      ["From", show(session.source, 160)], ["Address", show(detail.source_ip)], ["Who sat there", show(detail.source_user_name, 160)],
      ["Authenticated by", show(session.authentication_package, 60)],
      ["Logon type", detail.logon_type === null ? unknown() : `${detail.logon_type}${LOGON_TYPES[detail.logon_type] === undefined ? "" : ` (${LOGON_TYPES[detail.logon_type]})`}`],
      ["Logon id on the target", logonId], ["Host process", show(detail.host_process_id)],
      ["SID", show(detail.user_sid, 160), "wide"], ["Shell", show(detail.resource_uri, 200), "wide"],
    ]),
    markControls(sessionKey(session), "this session"),
    element("h3", {}, "Findings that rest on this session"), sessionFindings(session),
    element("ol", { class: "steps" }, ...steps),
    element("h3", {}, "Witnesses seen and missing"), gapTable(session),
    rest.length === 0 ? "" : witnessTable(rest, "Further records of this session"),
    leftOut(detail.witness_count - detail.witnesses.length, "witness record", `evtxhunt sql "SELECT * FROM remoting_witness WHERE session_id = ${Number(session.session_id)}"`));
  return content;
}

// Rows of the table of sessions, which came without script, follow what is hidden.
function hideSessions() {
  for (const session of data.sessions) {
    const row = document.getElementById(`session-${Number(session.session_id)}`);
    if (row !== null) {
      row.hidden = isHidden(sessionKey(session));
    }
  }
}

function showSession(session) {
  const place = data.sessions.indexOf(session);
  const [before, after] = [data.sessions[place - 1], data.sessions[place + 1]];
  const link = (other, text) => (other === undefined ? "" : element("a", { href: `#session-${Number(other.session_id)}` }, text));
  sessionPage.replaceChildren(
    element("nav", { class: "session-nav", "aria-label": "Sessions" }, element("a", { href: "#sessions" }, "← All sessions"),
      element("span", {}, link(before, "Previous"), " ", link(after, "Next"))),
    sessionContent(session));
  sessionPage.hidden = false;
  document.body.classList.add("is-session");
  window.scrollTo(0, 0);
  sessionPage.focus({ preventScroll: true });
}

function leaveSession() {
  sessionPage.hidden = true;
  sessionPage.replaceChildren();
  document.body.classList.remove("is-session");
}
