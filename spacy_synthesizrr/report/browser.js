(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const items = data.items, run = data.run, MAIN = "main", TEST = "test", STEP = 24;
  const tools = document.getElementById("tools"), words = document.getElementById("words"), list = document.getElementById("list");
  const found = document.getElementById("found"), more = document.getElementById("more"), command = document.getElementById("command");
  const names = ["arm", "status", "label", "reason"];
  const pick = Object.fromEntries(names.map((name) => [name, document.getElementById("choose-" + name)]));
  const number = (value) => value.toLocaleString("en-US");
  const plain = (word) => word.replaceAll("_", " ");
  let hits = items, shown = 0, wanted = [];

  for (const item of items) {
    const texts = [...(item.fields || []), ...(item.facts || []), ...(data.seeds[item.seed] || [])].map((pair) => pair[1]);
    const passage = data.passages[item.passage] || [];
    item.text = [...texts, ...passage, item.id, item.label, item.reason || ""].join("\n").toLowerCase();
    item.reason = item.reason || "";
  }

  // Elements are built one by one and texts are set as texts: nothing that a row says can become markup.
  const make = (tag, kind, ...inside) => {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    element.append(...inside.filter((one) => one !== null && one !== undefined));
    return element;
  };

  const highlighted = (text) => {
    const spots = [], lower = text.toLowerCase();
    if (lower.length !== text.length) return [text];
    for (const word of wanted) for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + word.length)) spots.push([at, at + word.length]);
    return cutAt(text, spots, "hit");
  };

  const cutAt = (text, spots, kind) => {
    const pieces = [];
    let done = 0;
    for (const [start, end] of spots.sort((a, b) => a[0] - b[0])) {
      if (start < done) continue;
      pieces.push(text.slice(done, start), make("mark", kind, text.slice(start, end)));
      done = end;
    }
    return [...pieces, text.slice(done)];
  };

  const fields = (pairs, kind) =>
    pairs.map(([name, text]) => make("p", kind, ...(pairs.length > 1 ? [make("span", "name", name), " "] : []), ...highlighted(text)));

  const origin = (item) => {
    const box = make("details", "", make("summary", "", item.arm === TEST ? "About this row" : "Where it comes from"));
    if (item.passage !== undefined) {
      const [text, source] = data.passages[item.passage];
      box.append(make("p", "cap", "Passage ", source ? make("span", "small", source) : null));
      // places were counted in whole characters, which JavaScript cuts in two where they are rare
      const letters = Array.from(text), pieces = [];
      let done = 0;
      for (const [start, end] of item.marks || []) {
        pieces.push(letters.slice(done, start).join(""), make("mark", "", letters.slice(start, end).join("")));
        done = end;
      }
      box.append(make("p", "text quote", ...pieces, letters.slice(done).join("")));
    }
    if (item.seed !== undefined) box.append(make("p", "cap", "Seed"), ...fields(data.seeds[item.seed], "text quote"));
    else if (item.arm !== TEST) box.append(make("p", "missing", "The seed is not among the task's seeds any more."));
    if (item.facts) {
      box.append(make("dl", "facts", ...item.facts.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value)))));
    }
    if (item.history) box.append(make("ol", "history", ...item.history.map((event) => make("li", "", event))));
    if (item.arm !== TEST) box.append(make("p", "small", make("code", "command", `synthesizrr trace ${item.id.slice(0, 12)} --run ${quoted(run)}`)));
    return box;
  };

  const card = (item) => {
    const chips = make("p", "chips", make("span", "label", item.label));
    const usual = (item.status === "accepted" || item.status === "right") && item.arm === MAIN;
    if (!usual) chips.append(make("span", "status", item.status + (item.reason ? ": " + plain(item.reason) : "")));
    if (item.arm !== MAIN) chips.append(make("span", "arm", item.arm));
    const texts = item.fields && item.fields.at(-1)[1] ? fields(item.fields, "text") : [make("p", "missing", "no text")];
    return make("article", "row " + item.status, chips, ...texts, origin(item));
  };

  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replaceAll("'", `'"'"'`) + "'");

  const tell = () => {
    const all = hits.length === items.length;
    found.textContent = all ? `${number(items.length)} rows` : `${number(hits.length)} of ${number(items.length)} rows`;
    const chosen = names.filter((name) => pick[name].value);
    const said = chosen.map((name) => ` --${name} ${quoted(pick[name].value)}`).join("");
    const text = wanted.length === 1 ? ` --text ${quoted(wanted[0])}` : ""; // several words may stand anywhere, a text is one phrase
    command.textContent = `synthesizrr rows${said}${text} --run ${quoted(run)}`;
    more.hidden = shown >= hits.length;
    more.textContent = `Show ${number(Math.min(STEP, hits.length - shown))} more of ${number(hits.length - shown)}`;
  };

  const add = () => {
    const next = hits.slice(shown, shown + STEP).map(card);
    list.append(...next);
    shown += next.length;
    tell();
    return next[0];
  };

  const fits = (item, but) => names.every((name) => name === but || !pick[name].value || item[name] === pick[name].value);

  // What can still be chosen, with how many rows each choice leaves.
  const offer = () => {
    for (const name of names) {
      const counts = new Map();
      for (const item of items) if (item[name] && !counts.has(item[name])) counts.set(item[name], 0);
      for (const item of items) {
        if (item[name] && fits(item, name) && wanted.every((word) => item.text.includes(word))) counts.set(item[name], counts.get(item[name]) + 1);
      }
      const kept = pick[name].value;
      const options = [...counts].map(([value, count]) => {
        const option = make("option", "", `${plain(value)} (${number(count)})`);
        option.value = value;
        return option;
      });
      const any = make("option", "", "all");
      any.value = "";
      pick[name].replaceChildren(any, ...options);
      pick[name].value = kept;
    }
  };

  const search = () => {
    wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = items.filter((item) => fits(item, "") && wanted.every((word) => item.text.includes(word)));
    shown = 0;
    list.replaceChildren();
    offer();
    add();
    if (!hits.length) list.append(make("p", "missing", "No row of the sample is like that; the command below looks at all rows (for one word, in their own fields)."));
  };

  const open = (target) => {
    for (let box = target && target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  };

  let waiting = 0;
  words.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  for (const name of names) pick[name].addEventListener("change", search);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("reset", () => setTimeout(search));
  more.addEventListener("click", () => {
    const first = add();
    const summary = first && first.querySelector("summary");
    if (summary) summary.focus({ preventScroll: true });
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    open(document.getElementById(decodeURIComponent(link.hash.slice(1))));
    if (!link.dataset.choose) return;
    const chosen = JSON.parse(link.dataset.choose);
    words.value = "";
    for (const name of names) pick[name].value = "";
    offer();
    for (const name of names) pick[name].value = chosen[name] || "";
    search();
  });
  open(location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1))));
  tools.hidden = false;
  search();
})();
