"use strict";
// Ask for this page again and again: another answer means that the app was started anew.
(function () {
  const mark = document.body.dataset.mark;
  const ask = async function () {
    try {
      // Not HEAD: apps that send a body all the same spoil the connection for the page that follows.
      const answer = await fetch(location.href, {cache: "no-store", headers: {Accept: "text/html"}});
      if (answer.headers.get("X-Wheatpaste-Problems") !== mark) {
        // Not reload(): that would send a form again.
        location.replace(location.href.split("#")[0]);
        return;
      }
    } catch {
      // Nobody answers while the app starts.
    }
    setTimeout(ask, document.hidden ? 3000 : 700);
  };
  setTimeout(ask, 700);
})();
