
"use strict";
// Folds, filters and opens cells. All state is in the address behind the #, so a link can name
// it: #verdict=fail&family=idle&client=aiohttp&q=race&open=idle&cell=idle/fin/race|aiohttp
(() => {
  const MANY = 40; // more scenarios than this are folded by family at first
  const SHEET = document.getElementById("detail");
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const text = (number) => DATA.texts[number];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const STATES = ["pass", "fail", "flaky", "unknown", "unsupported", "missing"];
  const stateOf = (button) => STATES.find((name) => button.classList.contains(name));
  const SIGNS = { pass: "✓", fail: "✗", flaky: "~", unknown: "?", unsupported: "∅", missing: "!" };
  const WORDS = { pass: "passed", fail: "failed", flaky: "flaky", unknown: "unknown",
    unsupported: "not supported", missing: "not set up" };
  const heads = all(".cells thead th").slice(1);
  const clients = heads.map((head) => head.textContent);
  const families = all(".cells tbody").map((body) => ({
    body,
    name: body.dataset.family,
    fold: body.querySelector(".family button"),
    sums: all(".family td", body),
    rows: all(".row", body).map((row) => ({
      row,
      name: row.dataset.scenario,
      cells: all("td", row),
      buttons: all("td", row).map((cell) => cell.querySelector("button")),
    })),
  }));
  const rows = families.flatMap((family) => family.rows);
  const named = new Map();
  for (const { name, buttons } of rows)
    buttons.forEach((button, place) => button && named.set(name + "|" + clients[place], button));

  // --- the address ---

  const state = () => new URLSearchParams(location.hash.slice(1));
  const change = (changes, remember = false) => {
    const now = state();
    for (const [key, value] of Object.entries(changes)) {
      if (value) now.set(key, value);
      else now.delete(key);
    }
    const hash = "#" + now.toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
    if (remember) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
    show();
  };
  const listed = (value) => (value ? value.split(",") : []);

  // --- filters ---

  const words = new Map(); // what a cell's details say, for the search; made when first asked for
  const saysOf = (button) => {
    const number = Number(button.dataset.i);
    if (!words.has(number)) {
      const collect = (value) => (Array.isArray(value) ? value.map(collect).join(" ") : text(value));
      words.set(number, DATA.cells[number].slice(5, 7).map(collect).join(" ").toLowerCase());
    }
    return words.get(number);
  };

  function show() {
    const now = state();
    const verdicts = listed(now.get("verdict"));
    const family = now.get("family") || "";
    const client = now.get("client") || "";
    const search = (now.get("q") || "").trim().toLowerCase();
    const open = listed(now.get("open"));
    const filtered = Boolean(verdicts.length || search);
    const fits = (name, button) =>
      button && (!verdicts.length || verdicts.includes(stateOf(button))) &&
      (!search || name.toLowerCase().includes(search) || saysOf(button).includes(search));
    const wanted = clients.map((name) => !client || name === client);
    heads.forEach((head, place) => { head.hidden = !wanted[place]; });
    let cells = 0, scenarios = 0;
    for (const { body, name, fold, sums, rows } of families) {
      let some = false;
      for (const { row, name: scenario, cells: tds, buttons } of rows) {
        let any = false;
        tds.forEach((td, place) => {
          const fit = wanted[place] && fits(scenario, buttons[place]);
          td.hidden = !wanted[place];
          td.classList.toggle("off", filtered && Boolean(buttons[place]) && !fit);
          if (fit) { any = true; cells += 1; }
        });
        row.hidden = !any;
        if (any && (!family || family === name)) scenarios += 1;
        else if (any) cells -= tds.filter((td, place) => wanted[place] && fits(scenario, buttons[place])).length;
        some ||= any;
      }
      sums.forEach((sum, place) => { sum.hidden = !wanted[place]; });
      body.hidden = !some || Boolean(family && family !== name);
      const isOpen = filtered || Boolean(family) || rows.length === 0 ||
        open.includes("all") || open.includes(name) || (!now.has("open") && allRows <= MANY);
      body.classList.toggle("shut", !isOpen);
      fold.setAttribute("aria-expanded", String(isOpen));
    }
    for (const chip of all(".chip"))
      chip.setAttribute("aria-pressed", String(verdicts.includes(chip.dataset.state)));
    byId("family").value = family;
    byId("client").value = client;
    if (byId("q") !== document.activeElement) byId("q").value = now.get("q") || "";
    const shut = families.some(({ body }) => !body.hidden && body.classList.contains("shut"));
    byId("fold").textContent = shut ? "Open all" : "Fold all";
    byId("fold").hidden = filtered || Boolean(family);
    byId("reset").hidden = !(filtered || family || client);
    byId("shown").textContent = `${scenarios} of ${allRows} scenarios, ${cells} of ${named.size} verdicts shown`;
    rove();
    open_(now.get("cell"));
  }
  const allRows = rows.length;

  // --- moving among cells by keys: one of them is in the order of tabs ---

  let focused = null;
  const visible = (button) => button && button.offsetParent !== null;
  function rove(button) {
    if (focused) focused.tabIndex = -1;
    focused = button || (visible(focused) ? focused : [...named.values()].find(visible));
    if (focused) focused.tabIndex = 0;
  }
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  function move(event) {
    const step = STEPS[event.key];
    const from = event.target.closest("[data-i]");
    if (!step || !from) return;
    event.preventDefault();
    let row = rows.findIndex(({ buttons }) => buttons.includes(from));
    let place = rows[row].buttons.indexOf(from);
    do {
      row += step[0];
      place += step[1];
    } while (rows[row] && place >= 0 && place < clients.length && !visible(rows[row].buttons[place]));
    const to = rows[row] && rows[row].buttons[place];
    if (to) { rove(to); to.focus(); }
  }

  // --- the details of a cell ---

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function finding([check, verdict, requirement, expected, actual, evidence]) {
    const told = text(verdict);
    const pairs = [["required", requirement], ["expected", expected], ["actual", actual]];
    const lines = pairs.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, text(value))]);
    const events = evidence.map((event) => make("tr", {}, ...event.map((part) => make("td", {}, text(part)))));
    return make("section", { class: "finding" },
      make("h3", { class: told }, `${SIGNS[told]} ${text(check)}: ${WORDS[told]}`),
      make("dl", {}, ...lines),
      events.length ? make("table", { class: "events", "aria-label": "evidence" }, make("tbody", {}, ...events)) : null);
  }

  function sheet(button) {
    const [row, place, about, version, facts, notes, findings, command] = DATA.cells[Number(button.dataset.i)];
    const told = stateOf(button);
    const good = findings.filter((each) => text(each[1]) === "pass");
    const bad = findings.filter((each) => text(each[1]) !== "pass");
    const close = make("button", { type: "button", class: "plain" }, "Close");
    close.addEventListener("click", () => SHEET.close());
    const copy = make("button", { type: "button", class: "plain" }, "Copy");
    const code = make("code", {}, text(command));
    copy.addEventListener("click", async () => {
      getSelection().selectAllChildren(code);
      try { await navigator.clipboard.writeText(code.textContent); copy.textContent = "Copied"; }
      catch { copy.textContent = "Selected"; }
    });
    return make("div", { class: "sheet" },
      make("div", { class: "top" },
        make("span", { class: `badge ${told}` }, `${SIGNS[told]} ${WORDS[told]}`), close),
      make("h2", { id: "detail-title" }, rows[row].name),
      make("p", { class: "who" }, [clients[place], text(version)].filter(Boolean).join(" · ")),
      text(about) ? make("p", { class: "about" }, text(about)) : null,
      make("dl", { class: "facts" }, ...facts.map(([label, value]) =>
        make("div", {}, make("dt", {}, text(label)), make("dd", {}, text(value))))),
      ...notes.map((note) => make("p", { class: "note" }, text(note))),
      ...bad.map(finding),
      good.length ? make("details", bad.length ? { class: "good" } : { class: "good", open: "" },
        make("summary", {}, `${good.length} passed`), ...good.map(finding)) : null,
      make("section", { class: "command" }, make("h3", {}, "Repeat it"), make("div", {}, code, copy)));
  }

  function open_(cell) {
    const button = cell && named.get(cell);
    if (!button) {
      if (SHEET.open) SHEET.close();
      return;
    }
    if (SHEET.open && SHEET.dataset.cell === cell) return;
    SHEET.dataset.cell = cell;
    SHEET.replaceChildren(sheet(button));
    SHEET.scrollTop = 0;
    if (!SHEET.open) SHEET.showModal();
  }

  // --- what people do ---

  for (const { body, name, fold } of families)
    fold.addEventListener("click", () => {
      const unfolded = families.filter((each) => !each.body.classList.contains("shut")).map((each) => each.name);
      const next = unfolded.includes(name) ? unfolded.filter((each) => each !== name) : [...unfolded, name];
      change({ open: next.join(",") || "none" });
    });
  document.querySelector(".cells").addEventListener("click", (event) => {
    const button = event.target.closest("[data-i]");
    if (!button) return;
    const { name, buttons } = rows.find((each) => each.buttons.includes(button));
    rove(button);
    change({ cell: name + "|" + clients[buttons.indexOf(button)] }, true);
  });
  document.querySelector(".cells").addEventListener("keydown", move);
  SHEET.addEventListener("close", () => { if (state().has("cell")) change({ cell: "" }); });
  SHEET.addEventListener("click", (event) => { if (event.target === SHEET) SHEET.close(); });
  for (const chip of all(".chip"))
    chip.addEventListener("click", () => {
      const now = listed(state().get("verdict"));
      const name = chip.dataset.state;
      const next = now.includes(name) ? now.filter((each) => each !== name) : [...now, name];
      change({ verdict: next.join(",") });
    });
  byId("family").addEventListener("change", (event) => change({ family: event.target.value }));
  byId("client").addEventListener("change", (event) => change({ client: event.target.value }));
  byId("q").addEventListener("input", (event) => change({ q: event.target.value }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    byId("q").value = "";
    change({ verdict: "", family: "", client: "", q: "" });
  });
  byId("fold").addEventListener("click", () => {
    const shut = families.some(({ body }) => !body.hidden && body.classList.contains("shut"));
    change({ open: shut ? "all" : "none" });
  });
  addEventListener("hashchange", show);
  addEventListener("popstate", show);
  for (const button of named.values()) button.tabIndex = -1;
  byId("filters").hidden = false;
  show();
})();
