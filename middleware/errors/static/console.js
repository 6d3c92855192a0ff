"use strict";
// A prompt in each frame of an error page, for the browser that has used the link at the terminal.
(() => {
  const {console: address, id: error} = document.body.dataset;
  const NAME = "wheatpaste-console";

  const key = () => {
    try {
      return localStorage.getItem(NAME);
    } catch {
      return null; // storage is switched off, and then there is no pass
    }
  };

  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  const send = async (action, frame, code) => {
    const shown = key();
    const answer = await fetch(address, {
      method: "POST",
      cache: "no-store",
      credentials: "same-origin",
      headers: {"Content-Type": "application/json", "X-Console-Key": shown ?? ""},
      body: JSON.stringify({action, error, frame, code}),
    });
    const data = await answer.json();
    if (data.needs_pass && shown !== null && shown === key()) {
      // Of an earlier server, or too long ago: each further try would count as a guess.
      localStorage.removeItem(NAME);
      offer();
    }
    if (!answer.ok) throw new Error(data.error);
    return data;
  };

  const common = (words) => {
    let start = words[0] ?? "";
    for (const word of words) while (!word.startsWith(start)) start = start.slice(0, -1);
    return start;
  };

  class Prompt {
    constructor(slot) {
      this.frame = slot.dataset.slot;
      this.past = [];
      this.place = 0;
      this.field = make("textarea", {
        rows: 1, spellcheck: false, autocapitalize: "off", autocomplete: "off", placeholder: "an expression or a statement",
      });
      this.field.setAttribute("aria-label", `Prompt in frame ${this.frame}`);
      this.output = make("div", {className: "output"});
      this.output.setAttribute("role", "log");
      this.words = make("p", {className: "words", hidden: true});
      const look = make("button", {type: "button", textContent: "Inspect", title: "Inspect what is typed (Ctrl+I)"});
      look.addEventListener("click", () => this.inspect());
      slot.replaceChildren(make("div", {className: "console"},
        this.output, make("label", {}, make("b", {textContent: ">>>"}), this.field, look), this.words));
      this.field.addEventListener("keydown", (event) => this.key(event));
      this.field.addEventListener("input", () => this.fit());
    }

    key(event) {
      const {key: pressed, shiftKey, ctrlKey} = event;
      const oneLine = !this.field.value.includes("\n");
      if (pressed === "Enter" && !shiftKey) this.run();
      else if (pressed === "Tab" && !shiftKey && this.before().trim()) this.complete();
      else if (pressed === "i" && ctrlKey) this.inspect();
      else if (pressed === "l" && ctrlKey) this.output.replaceChildren();
      else if (pressed === "ArrowUp" && oneLine) this.recall(-1);
      else if (pressed === "ArrowDown" && oneLine) this.recall(1);
      else return;
      event.preventDefault();
    }

    before() {
      return this.field.value.slice(0, this.field.selectionStart);
    }

    fit() {
      this.field.rows = this.field.value.split("\n").length;
      this.words.hidden = true;
    }

    set(text) {
      this.field.value = text;
      this.fit();
    }

    goOn(code, line) {
      const indent = /^\s*/.exec(line)[0] + (line.trimEnd().endsWith(":") ? "    " : "");
      this.set(`${code}\n${indent}`);
    }

    recall(by) {
      this.place = Math.max(0, Math.min(this.past.length, this.place + by));
      this.set(this.past[this.place] ?? "");
    }

    tell(text, kind) {
      if (text) this.output.append(make("pre", {className: kind, textContent: text}));
      this.output.scrollTop = this.output.scrollHeight;
    }

    async ask(action, code, use) {
      try {
        use(await send(action, this.frame, code));
      } catch (refused) {
        this.tell(refused.message, "failed");
      }
    }

    run() {
      const code = this.field.value;
      if (!code.trim()) return;
      const lines = code.split("\n");
      // A block ends with an empty line, as at Python's own prompt.
      if (lines.length > 1 ? lines.at(-1).trim() : code.trimEnd().endsWith(":")) {
        this.goOn(code, lines.at(-1));
        return;
      }
      this.ask("run", `${code}\n`, ({output, incomplete, failed}) => {
        if (incomplete) {
          this.goOn(code, lines.at(-1));
          return;
        }
        this.tell(code.trimEnd().split("\n").map((line, n) => `${n ? "..." : ">>>"} ${line}`).join("\n"), "typed");
        this.tell(output.trimEnd(), failed ? "failed" : "");
        if (this.past.at(-1) !== code) this.past.push(code);
        this.place = this.past.length;
        this.set("");
      });
    }

    complete() {
      const before = this.before();
      const rest = this.field.value.slice(before.length);
      this.ask("complete", before, ({words}) => {
        const typed = /(?:[\p{L}\p{N}_]+\.)*[\p{L}\p{N}_]*$/u.exec(before)[0];
        const start = common(words);
        if (start.length > typed.length) {
          const now = before.slice(0, before.length - typed.length) + start;
          this.set(now + rest);
          this.field.setSelectionRange(now.length, now.length);
        }
        this.words.textContent = words.length > 1 ? words.map((word) => word.split(".").at(-1)).join("  ") : "";
        this.words.hidden = words.length < 2;
      });
    }

    inspect() {
      const code = this.field.value.trim();
      if (!code) return;
      this.ask("inspect", code, (found) => {
        if (found.error) {
          this.tell(found.error, "failed");
          return;
        }
        const rows = found.attributes.map(({name, type, text}) => make("div", {},
          make("dt", {textContent: name}), make("dd", {textContent: text || type, title: type})));
        this.output.append(make("details", {className: "inspected", open: true},
          make("summary", {}, make("b", {textContent: code}), make("small", {textContent: ` ${found.type}`})),
          make("pre", {textContent: found.text}),
          ...(found.source ? [make("p", {className: "where", textContent: found.source})] : []),
          ...(found.doc ? [make("p", {className: "doc", textContent: found.doc})] : []),
          make("dl", {className: "pairs"}, ...rows)));
        this.output.scrollTop = this.output.scrollHeight;
      });
    }
  }

  const offer = () => {
    const open = Boolean(key());
    for (const slot of document.querySelectorAll("[data-frame] > .body > .slot")) {
      if (open && !slot.firstChild?.matches?.(".console")) new Prompt(slot);
      else if (!open) {
        slot.replaceChildren(make("p", {
          className: "locked", textContent: "For a prompt here, open the link that the server has printed at its terminal.",
        }));
      }
    }
  };

  // The link may be opened in another tab while this one waits.
  addEventListener("storage", (event) => {
    if (event.key === NAME) offer();
  });
  offer();
})();
