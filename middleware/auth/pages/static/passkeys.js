"use strict";
// Asks the browser for passkeys. Each form with data-passkey says for what, and carries the answer to the site.
(() => {
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  if (!forms.length || !window.PublicKeyCredential || !navigator.credentials) return;

  const RENEWED = 240000; // a question is good for five minutes
  let asking = null;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  async function question(form) {
    const sent = new URLSearchParams({ token: form.elements.token.value, purpose: form.dataset.passkey });
    if (form.dataset.link) sent.set("link", form.dataset.link);
    const answer = await fetch(form.dataset.options, { method: "POST", body: sent, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`the site answered ${answer.status}`);
    const options = await answer.json();
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    for (const name of ["allowCredentials", "excludeCredentials"])
      for (const each of options[name] || []) each.id = bytes(each.id);
    return options;
  }

  function written(credential) {
    const response = { clientDataJSON: text(credential.response.clientDataJSON) };
    if (credential.response.attestationObject) {
      response.attestationObject = text(credential.response.attestationObject);
      response.transports = credential.response.getTransports ? credential.response.getTransports() : [];
    } else {
      response.authenticatorData = text(credential.response.authenticatorData);
      response.signature = text(credential.response.signature);
      response.userHandle = credential.response.userHandle ? text(credential.response.userHandle) : null;
    }
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment || null,
      clientExtensionResults: {},
      response,
    });
  }

  function send(form, credential) {
    const remember = document.getElementById("remember");
    if (form.elements.remember) form.elements.remember.value = remember && remember.checked ? "1" : "";
    form.elements.credential.value = written(credential);
    form.submit();
  }

  async function ask(form, mediation) {
    if (asking) asking.abort();
    asking = new AbortController();
    const signal = asking.signal;
    const publicKey = await question(form);
    if (signal.aborted) return null;
    return form.dataset.passkey === "create"
      ? navigator.credentials.create({ publicKey, signal })
      : navigator.credentials.get({ publicKey, signal, ...(mediation ? { mediation } : {}) });
  }

  async function offer(form) {
    // The browser offers passkeys among the names that it knows for the first field, without a window of its own.
    const renewal = setTimeout(() => offer(form), RENEWED);
    try {
      const credential = await ask(form, "conditional");
      clearTimeout(renewal);
      if (credential) send(form, credential);
    } catch (error) {
      if (error.name !== "AbortError") clearTimeout(renewal);
    }
  }

  for (const form of forms) {
    const button = form.querySelector("button");
    const failed = form.querySelector("[data-failed]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failed.hidden = true;
      button.setAttribute("aria-busy", "true");
      try {
        const credential = await ask(form);
        if (credential) return send(form, credential);
      } catch (error) {
        failed.hidden = false;
        failed.dataset.failed = error.name;
      }
      button.removeAttribute("aria-busy");
    });
    if ("conditional" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable)
      PublicKeyCredential.isConditionalMediationAvailable().then((can) => can && offer(form));
  }
})();
