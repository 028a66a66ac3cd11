// The data of the page: base64 of deflated JSON, rows as columns. Unpacked by the browser itself; nothing is fetched.

function bytesOf(base64) {
  if (typeof Uint8Array.fromBase64 === "function") {
    return Uint8Array.fromBase64(base64);
  }
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    bytes[index] = text.charCodeAt(index);
  }
  return bytes;
}

async function unpack(id) {
  const holder = document.getElementById(id);
  const stream = new Blob([bytesOf(holder.textContent)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// A packed table: get(field, row) and object(row). Times are microseconds since 1970, or text where that is not exact.
class Table {
  constructor(packed) {
    this.length = packed.n;
    this.columns = packed.c;
    for (const column of Object.values(this.columns)) {
      if (column.t !== undefined) {
        let time = 0;
        column.v = column.t.map((step) => (typeof step === "number" ? (time += step) : step));
      }
    }
  }

  get(field, row) {
    const column = this.columns[field];
    const value = column.v[row];
    return column.d === undefined ? value : value < 0 ? null : column.d[value];
  }

  object(row) {
    return Object.fromEntries(Object.keys(this.columns).map((field) => [field, this.get(field, row)]));
  }
}

// What needs no script is there already; the reader is told why there is no more.
function tellTrouble(reason) {
  const trouble = document.getElementById("script-trouble");
  trouble.textContent = `${reason} What follows is the part of the report that needs no script.`;
  trouble.hidden = false;
}

if (typeof DecompressionStream === "undefined") {
  tellTrouble("This browser is too old to unpack the data of this page: it lacks DecompressionStream.");
  return;
}

let data = null;
try {
  data = await unpack("report-data");
} catch (error) {
  tellTrouble(`The data of this page could not be unpacked (${error.name}): the file is damaged, or too large for this browser.`);
  return;
}
const records = new Table(data.records);
const lines = new Table(data.lines);

// Event data comes in blocks, each unpacked when one of its records is opened.
const blocks = new Map();

async function eventDataOf(record) {
  let block = data.block_starts.length - 1;
  while (block > 0 && data.block_starts[block] > record) {
    block -= 1;
  }
  if (!blocks.has(block)) {
    blocks.set(block, unpack(`event-data-${block}`));
  }
  return (await blocks.get(block))[record - data.block_starts[block]];
}
