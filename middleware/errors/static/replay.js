"use strict";
// Offers to run the failed request again, watches for changes of the code, and shows in place what came of it.
(() => {
  const {replay: address, errors, id} = document.body.dataset;
  const slot = document.querySelector("[data-slot=replay]");
  const title = document.title;
  const SOONEST = 700;
  const LATEST = 8000;

  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // A server that does not start with a change answers everything with a page that says why.
  class NoServer extends Error {}

  const ask = async (query, body) => {
    const how = body && {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)};
    const answer = await fetch(`${address}${query}`, {
      cache: "no-store", credentials: "same-origin", redirect: "error", ...how,
    });
    if (!/^application\/json\b/.test(answer.headers.get("Content-Type") ?? "")) throw new NoServer();
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    return data;
  };

  const told = make("p", {className: "told-replay"});
  const button = make("button", {type: "button"});
  const always = make("input", {type: "checkbox", checked: Boolean(history.state?.again)});
  const label = make("label", {hidden: true}, always, " after each change");
  const sure = make("button", {type: "button", textContent: "Run it"});
  const leave = make("button", {type: "button", textContent: "Leave it"});
  const confirm = make("p", {className: "confirm", hidden: true}, make("span"), " ", sure, " ", leave);
  const outcome = make("p", {className: "outcome", hidden: true});
  outcome.setAttribute("role", "status");
  const panel = make("section", {className: "replay"}, make("div", {}, told, button, label), confirm, outcome);
  panel.setAttribute("aria-label", "Run the request again");

  let state = null;
  let running = false;
  let looking = false;
  let pause = SOONEST;
  let timer = 0;

  const listed = (names) => names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)} have` : `${names[0]} has`;

  const news = ({changed, restarted, stale, reloads}) => {
    if (stale && reloads) return `${listed(changed)} changed. The server starts again …`;
    if (stale) return `${listed(changed)} changed, but this server still runs the old code; with --reload it takes up changes.`;
    if (changed.length) return `${listed(changed)} changed.`;
    if (restarted) return "The server was started again.";
    return outcome.hidden ? "Change the code, then run this request again, here." : "The code has not changed since.";
  };

  const isNew = ({changed, restarted, stale}) => !stale && (restarted || changed.length > 0);

  const show = () => {
    slot.replaceChildren(panel);
    if (!state.kept) {
      told.textContent = `This request cannot be run again: ${state.why}.`;
      for (const each of [button, label, confirm]) each.hidden = true;
      return;
    }
    told.textContent = news(state);
    button.textContent = running ? "Running …" : state.safe ? "Run it again" : `Run ${state.method} again …`;
    button.disabled = running;
    button.hidden = false;
    label.hidden = !state.safe;
    panel.classList.toggle("news", isNew(state));
  };

  const tell = (mark, kind, ...words) => {
    document.title = mark ? `${mark} ${title}` : title;
    outcome.className = `outcome ${kind}`;
    outcome.replaceChildren(...words);
    outcome.hidden = false;
  };

  const inTime = (seconds) => seconds < .001 ? "less than 1 ms" : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;

  const tellOutcome = (found) => {
    const time = ` after ${inTime(found.seconds)}`;
    if (found.passed) {
      const words = [make("b", {textContent: "Passed"}), ` ${found.status || "without a status"}${time}`];
      if (found.cut) words.push(", and more of the reply would come");
      // A page of the inbox is not the one that failed, and other methods than GET would be sent once more.
      if (state.method === "GET" && !(errors && location.pathname.startsWith(`${errors}/`))) {
        const load = make("button", {type: "button", textContent: "Load the page"});
        load.addEventListener("click", () => location.reload());
        words.push(" ", load);
      }
      tell("✓", /^[45]/.test(found.status) ? "passed doubtful" : "passed", ...words);
      return;
    }
    const where = found.place ? make("small", {textContent: ` ${found.place}`}) : "";
    const words = [make("b", {textContent: found.same ? "Failed again" : "Failed otherwise"}), ` ${found.headline}`, where];
    if (errors) words.push(" ", make("a", {href: `${errors}/${encodeURIComponent(found.id)}`, textContent: "Show it"}));
    tell("✗", "failed", ...words);
  };

  const run = async (confirmed) => {
    if (running) return;
    running = true;
    confirm.hidden = true;
    show();
    try {
      tellOutcome(await ask("", {error: id, confirmed}));
    } catch (error) {
      tell("", "failed", error instanceof NoServer ? "The app does not start; its page says why." : error.message);
    }
    running = false;
    // Not at once again, even if the request itself has changed a file.
    await look(false);
  };

  const look = async (mayRun = true) => {
    clearTimeout(timer);
    if (document.hidden || running || looking) return;
    looking = true;
    const before = JSON.stringify(state);
    try {
      state = await ask(`?${new URLSearchParams({error: id})}`);
      show();
    } catch (error) {
      if (state?.kept) {
        slot.replaceChildren(panel);
        told.textContent = error instanceof NoServer
          ? "The app does not start with this change; any of its pages says why." : "The server does not answer.";
        panel.classList.remove("news");
      }
    }
    looking = false;
    if (state && !state.kept) return;
    // Whoever edits makes several changes; nobody edits for hours.
    pause = JSON.stringify(state) === before ? Math.min(pause * 1.25, LATEST) : SOONEST;
    timer = setTimeout(() => look(), pause);
    if (mayRun && state && always.checked && state.safe && isNew(state)) run(false);
  };

  const lookSoon = () => {
    pause = SOONEST;
    if (state?.kept !== false) look();
  };

  button.addEventListener("click", () => {
    if (state.safe) {
      run(false);
      return;
    }
    confirm.firstChild.textContent = `${state.method} may change data, and would do so once more.`;
    confirm.hidden = false;
    sure.focus();
  });
  sure.addEventListener("click", () => run(true));
  leave.addEventListener("click", () => {
    confirm.hidden = true;
    button.focus();
  });
  always.addEventListener("change", () => {
    // Kept with this entry of the history, as light and dark are.
    history.replaceState({...history.state, again: always.checked}, "");
    lookSoon();
  });
  document.addEventListener("visibilitychange", lookSoon);
  addEventListener("focus", lookSoon);
  look();
})();
