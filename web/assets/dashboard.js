// What pages do beyond being read: the overview follows what happens, times are told in the reader's own zone too, and the keyboard has
// shortcuts. Without it every page is read and every form is sent just the same. It makes no markup of what others wrote: the overview's
// part comes from the server as it would in the page.
"use strict";

// Times: the page has them in UTC; the reader's own stand beside them.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
function tellTimes(within) {
  if (!zone || zone === "UTC" || zone === "Etc/UTC") return;
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    // Where the account has a zone of its own, the server has told it.
    if (Number.isNaN(at.getTime()) || time.title || "own" in time.dataset) continue;
    time.title = `${clock.format(at)} in ${zone}`;
    if (time.closest(".facts, .timeline")) {
      const own = document.createElement("small");
      own.textContent = ` ${clock.format(at)} here`;
      time.append(own);
    }
  }
}
tellTimes(document);

// The overview: a stream while the page is seen, none while it isn't.
const live = document.querySelector("[data-live]");
if (live && "EventSource" in window) {
  const target = document.getElementById(live.dataset.target);
  const said = live.querySelector(".live-said");
  const button = live.querySelector("button");
  let source = null;
  let paused = false;
  let over = false;
  let heard = Date.now();
  const say = (text, state) => {
    said.textContent = text;
    live.dataset.state = state;
  };
  const show = (html) => {
    // Who is using something in it isn't disturbed.
    if (target.contains(document.activeElement)) return;
    const open = [...target.querySelectorAll("details[open][id]")].map((one) => one.id);
    const read = new DOMParser().parseFromString(html, "text/html");
    target.replaceChildren(...read.body.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    tellTimes(target);
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    if (source || paused || over || document.hidden) return;
    source = new EventSource(live.dataset.live);
    source.addEventListener("overview", (event) => {
      heard = Date.now();
      show(event.data);
      say(`Live, as of ${new Date().toLocaleTimeString()}`, "on");
    });
    source.addEventListener("over", () => {
      over = true;
      close();
      say("Your session has ended", "off");
      button.hidden = true;
    });
    source.onerror = () => {
      // A stream ends by itself each minute and is opened again; one that was refused isn't.
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      say("Not live: trying again", "off");
      setTimeout(open, 15000);
    };
  };
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    if (paused) {
      close();
      say("Paused", "off");
    } else {
      say("Connecting", "off");
      open();
    }
  });
  // What is opened again and again, and not answered, isn't live.
  setInterval(() => {
    if (source && live.dataset.state === "on" && Date.now() - heard > 20000) say(`Nothing heard since ${new Date(heard).toLocaleTimeString()}`, "off");
  }, 5000);
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  live.hidden = false;
  open();
}

// Shortcuts: single keys outside of fields, which can be turned off, and a dialog that tells them.
const help = document.getElementById("shortcuts");
if (help) {
  const key = "landfall-shortcuts";
  const stored = (value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch {
      // A browser that keeps nothing has them on.
    }
    return null;
  };
  const box = help.querySelector("input[type=checkbox]");
  box.checked = stored() !== "off";
  box.addEventListener("change", () => stored(box.checked ? "on" : "off"));
  const opener = document.getElementById("shortcuts-open");
  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());
  let went = 0;
  document.addEventListener("keydown", (event) => {
    if (!box.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help.open) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const now = event.timeStamp;
    if (now - went < 1500 && went > 0) {
      went = 0;
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (event.key === "g") {
      went = now;
    } else if (event.key === "/") {
      const field = document.querySelector("header [role=search] input:not([type=hidden]), main form.search input:not([type=hidden])");
      event.preventDefault();
      if (field) field.focus();
      else document.querySelector("[data-search]")?.click();
    } else if (event.key === "?") {
      event.preventDefault();
      help.showModal();
    }
  });
}
