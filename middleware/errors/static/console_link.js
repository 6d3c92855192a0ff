"use strict";
// The page behind the link at the terminal: shows the secret once, by POST, and keeps this origin's half of the pass.
(() => {
  const {console: address} = document.body.dataset;
  const say = (name) => {
    for (const each of document.querySelectorAll("[data-when]")) each.hidden = each.dataset.when !== name;
  };
  const secret = location.hash.slice(1);
  // Out of the address bar and the history: it is of no more use, and looks as if it were.
  history.replaceState(null, "", location.pathname);

  const redeem = async () => {
    const answer = await fetch(address, {
      method: "POST",
      cache: "no-store",
      credentials: "same-origin",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({action: "redeem", secret}),
    });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    localStorage.setItem("wheatpaste-console", data.key);
  };

  if (!secret) {
    say("none");
    return;
  }
  redeem().then(() => say("open"), (refused) => {
    document.querySelector("[data-why]").textContent = refused.message;
    say("refused");
  });
})();
