"use strict";
// What the page for developers can do beyond what it shows by itself: copy, search, keys, colours in the source.
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const body = document.body;
  const turn = one("#turn");
  const searched = one(".search input");
  const count = one(".search output");
  const toast = one(".toast");

  // --- small things ---

  let hiding = 0;
  const say = (text) => {
    toast.textContent = text;
    toast.classList.add("up");
    clearTimeout(hiding);
    hiding = setTimeout(() => toast.classList.remove("up"), 1800);
  };

  const openAround = (element) => {
    for (let each = element; each; each = each.parentElement) {
      if (each.localName === "details") each.open = true;
    }
  };

  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) {
      openAround(target);
      target.scrollIntoView();
    }
  };

  const rememberTurn = () => {
    // Kept with this entry of the history: the page is of the app's own site, whose storage is not ours.
    turn.checked = Boolean(history.state?.turned);
    turn.addEventListener("change", () => history.replaceState({...history.state, turned: turn.checked}, ""));
  };

  const tellLocalTime = () => {
    for (const time of all("time")) time.title = new Date(time.dateTime).toLocaleString();
  };

  const printWhole = () => {
    const opened = [];
    addEventListener("beforeprint", () => {
      for (const each of all("details:not([open])")) {
        each.open = true;
        opened.push(each);
      }
    });
    addEventListener("afterprint", () => {
      for (const each of opened.splice(0)) each.open = false;
    });
  };

  // --- copying ---

  const copyText = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard where the site has no TLS: select it in a field, as one would by hand.
      const field = document.createElement("textarea");
      field.value = text;
      body.append(field);
      field.select();
      const copied = document.execCommand("copy");
      field.remove();
      if (!copied) {
        say("The browser does not allow copying");
        return;
      }
    }
    say(`${what} copied`);
  };

  const copyAs = (name) => copyText(one(`#copy-${name}`).value, one(`[data-copy=${name}]`).textContent);

  const enableCopying = () => {
    for (const button of all("[data-copy]")) button.addEventListener("click", () => copyAs(button.dataset.copy));
    for (const code of all("[data-copyable]")) {
      const copy = () => copyText(code.textContent, code.textContent);
      code.tabIndex = 0;
      code.setAttribute("role", "button");
      code.title = "Copy";
      code.addEventListener("click", copy);
      code.addEventListener("keydown", (event) => {
        if (event.key === "Enter") copy();
      });
    }
  };

  // --- colours in the source ---

  const WORDS = "False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from"
    + "|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield";
  const TOKEN = new RegExp(
    "(?<comment>#.*)"
    + "|(?<text>\\b[rbfut]{0,2}(?:\"\"\"[^]*?(?:\"\"\"|$)|'''[^]*?(?:'''|$)|\"(?:\\\\.|[^\"\\\\\\n])*\"?|'(?:\\\\.|[^'\\\\\\n])*'?)"
    + "|[rbfut]{0,2}(?:\"\"\"[^]*?(?:\"\"\"|$)|'''[^]*?(?:'''|$)|\"(?:\\\\.|[^\"\\\\\\n])*\"?|'(?:\\\\.|[^'\\\\\\n])*'?))"
    + `|(?<number>\\b\\d[\\w.]*)|\\b(?<keyword>${WORDS})\\b`, "gi");
  const TOKENS = ["comment", "text", "number", "keyword"];

  // The excerpt may begin within a docstring: then its first quotes end one.
  const insideAtFirst = (text) => {
    const quotes = text.split('"""');
    if (quotes.length % 2 || !/^[ \t]*(?:\n|$)/.test(quotes[1])) return 0;
    return quotes[0].length + 3;
  };

  const textNodes = (pre) => {
    const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT, (node) =>
      node.parentElement.closest("b, .values") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    const nodes = [];
    let length = 0;
    while (walker.nextNode()) {
      nodes.push({node: walker.currentNode, start: length});
      length += walker.currentNode.length;
    }
    return nodes;
  };

  const rangeOf = (nodes, start, end, from = 0) => {
    let place = from;
    while (place + 1 < nodes.length && nodes[place + 1].start <= start) place += 1;
    let last = place;
    while (last + 1 < nodes.length && nodes[last + 1].start < end) last += 1;
    const range = document.createRange();
    range.setStart(nodes[place].node, start - nodes[place].start);
    range.setEnd(nodes[last].node, end - nodes[last].start);
    return [range, place];
  };

  const colour = (pre) => {
    if (!("highlights" in CSS) || !/python|syntax/.test(pre.dataset.language)) return;
    const nodes = textNodes(pre);
    const text = nodes.map(({node}) => node.data).join("");
    const paint = (kind, start, end, from) => {
      const [range, place] = rangeOf(nodes, start, end, from);
      CSS.highlights.get(kind).add(range);
      return place;
    };
    let place = 0;
    TOKEN.lastIndex = insideAtFirst(text);
    if (TOKEN.lastIndex) paint("text", 0, TOKEN.lastIndex, 0);
    for (let found = TOKEN.exec(text); found; found = TOKEN.exec(text)) {
      const kind = TOKENS.find((each) => found.groups[each] !== undefined);
      place = paint(kind, found.index, TOKEN.lastIndex, place);
    }
    pre.dataset.coloured = "";
  };

  const colourWhatIsOpen = () => {
    if ("highlights" in CSS) for (const kind of [...TOKENS, "found"]) CSS.highlights.set(kind, new Highlight());
    const colourIn = (details) => {
      for (const pre of all("pre[data-language]:not([data-coloured])", details)) {
        if (pre.checkVisibility()) colour(pre);
      }
    };
    colourIn(document);
    // Such an event does not bubble, but it is seen on its way down.
    document.addEventListener("toggle", (event) => {
      if (event.target.open) colourIn(event.target);
    }, true);
  };

  // --- more source ---

  const lineOf = ({number, text}) => {
    const line = document.createElement("span");
    line.className = "line";
    const label = document.createElement("b");
    label.textContent = number;
    line.append(label, `${text}\n`);
    return line;
  };

  const showSource = async (button) => {
    const frame = button.closest("[data-frame]");
    const pre = one("pre", frame);
    const query = new URLSearchParams({frame: frame.dataset.frame, all: button.dataset.source});
    button.disabled = true;
    try {
      const answer = await fetch(`${body.dataset.errors}/${body.dataset.id}/source?${query}`, {
        cache: "no-store", headers: {Accept: "application/json"},
      });
      if (!answer.ok) throw new Error(answer.statusText);
      const {lines} = await answer.json();
      if (!lines.length) throw new Error("it is empty");
      const known = new Map();
      let number = 0;
      for (const node of all(":scope > *", pre)) {
        if (node.matches(".line")) number = Number(one("b", node).textContent);
        known.set(number, [...(known.get(number) ?? []), node]);
      }
      pre.replaceChildren(...lines.flatMap((line) => known.get(line.number) ?? lineOf(line)));
      colour(pre);
      const failing = one(".failing", pre);
      if (failing) pre.scrollTop = failing.offsetTop - pre.offsetTop - pre.clientHeight / 2;
    } catch (error) {
      button.disabled = false;
      say(`The source is not at hand: ${error.message}`);
    }
  };

  const offerSource = () => {
    for (const more of all(".more")) more.hidden = false;
    for (const button of all("[data-source]")) button.addEventListener("click", () => showSource(button));
  };

  // --- search ---

  const frames = all("[data-frame]");
  const rows = all(".panel .pairs > div");
  const boxes = all(".run, .member, .rest, .table, details.linked");
  let before = null;

  const markFound = (words, places) => {
    if (!("highlights" in CSS)) return;
    const found = CSS.highlights.get("found");
    found.clear();
    if (!words.length) return;
    for (const place of places) {
      const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      while (walker.nextNode() && found.size < 500) {
        const text = walker.currentNode.data.toLowerCase();
        for (const word of words) {
          for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
            if (at + word.length > walker.currentNode.length) break;
            const range = document.createRange();
            range.setStart(walker.currentNode, at);
            range.setEnd(walker.currentNode, at + word.length);
            found.add(range);
          }
        }
      }
    }
  };

  const restore = () => {
    for (const [details, open] of before ?? []) details.open = open;
    before = null;
  };

  const search = () => {
    const words = searched.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !before) before = all("details").map((details) => [details, details.open]);
    const kept = [...frames, ...rows].filter((each) => {
      const text = each.textContent.toLowerCase();
      each.hidden = !words.every((word) => text.includes(word));
      return !each.hidden;
    });
    const hits = kept.filter((each) => each.dataset.frame);
    for (const box of boxes) {
      const inside = all("[data-frame], .panel .pairs > div", box);
      box.hidden = words.length > 0 && inside.length > 0 && inside.every((each) => each.hidden);
      if (words.length && !box.hidden) box.open = true;
    }
    if (!words.length) restore();
    else for (const frame of frames) frame.open = hits.length <= 5 && !frame.hidden;
    markFound(words, kept);
    const others = kept.length - hits.length;
    count.textContent = words.length ? `${hits.length} frame${hits.length === 1 ? "" : "s"}${others ? `, ${others} more` : ""}` : "";
  };

  // --- keys ---

  const isSeen = (frame) => one("summary", frame).checkVisibility();
  let here = one(".focus");

  const goTo = (frame) => {
    here?.classList.remove("here");
    here = frame;
    frame.classList.add("here");
    const summary = one("summary", frame);
    summary.focus({preventScroll: true});
    summary.scrollIntoView({block: "nearest"});
  };

  const step = (by) => {
    const seen = frames.filter(isSeen);
    const at = seen.indexOf(here);
    const next = seen[at < 0 ? 0 : at + by];
    if (next) goTo(next);
  };

  const openAll = () => {
    const seen = frames.filter(isSeen);
    const open = seen.some((frame) => !frame.open);
    for (const frame of seen) frame.open = open;
  };

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    o: openAll,
    c: () => copyAs("markdown"),
    e: () => one("a.at", here ?? body)?.click(),
    t: () => turn.click(),
    "/": () => searched.focus(),
    "?": () => one("dialog").showModal(),
  };

  const listenForKeys = () => {
    document.addEventListener("keydown", (event) => {
      const {target, key} = event;
      if (target === searched && key === "Escape") {
        searched.value = "";
        search();
        searched.blur();
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (target.closest("textarea, input:not([type=checkbox]), select, [contenteditable], dialog")) return;
      const action = KEYS[key];
      if (action) {
        event.preventDefault();
        action();
      }
    });
    one("[data-help]").addEventListener("click", KEYS["?"]);
    one("[data-close]").addEventListener("click", () => one("dialog").close());
  };

  // --- all of it ---

  for (const each of all("[data-script]")) each.hidden = false;
  rememberTurn();
  tellLocalTime();
  printWhole();
  enableCopying();
  colourWhatIsOpen();
  offerSource();
  searched.addEventListener("input", search);
  listenForKeys();
  addEventListener("hashchange", openTarget);
  openTarget();
})();
