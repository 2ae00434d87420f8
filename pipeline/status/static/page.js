// Brings the page up to date by itself: asks for what changes of it, and changes
// only that, so that focus, selection and scroll stay where they are. It stops
// while nobody looks. Without it the page is reloaded as a whole.
(() => {
  'use strict';
  const main = document.getElementById('main');
  const said = document.getElementById('link');
  const pause = document.getElementById('pause');
  const every = Number(main.dataset.every);
  let timer = 0, paused = false, busy = false, good = new Date();

  const say = (text, trouble) => {
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle('trouble', Boolean(trouble));
  };

  async function update() {
    clearTimeout(timer);
    if (paused || busy || document.hidden) return; // whoever ends that calls again
    busy = true;
    try {
      const answer = await fetch(location.pathname + location.search, {
        headers: { 'Wolkpipe-Part': 'main' }, cache: 'no-store', signal: AbortSignal.timeout(15000),
      });
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('main');
      if (!fresh) throw new Error('the answer is no page');
      if (fresh.dataset.build !== main.dataset.build) return location.reload(); // another version answers
      document.title = fresh.dataset.title;
      morph(main, fresh);
      good = new Date();
      say('Updates every ' + Math.round(every / 1000) + ' s');
    } catch {
      say('No answer since ' + good.toLocaleTimeString() + ', trying again', true);
    } finally {
      busy = false;
    }
    timer = setTimeout(update, every);
  }

  // morph makes from like to, and keeps every node that may stay.
  function morph(from, to) {
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name)) from.removeAttribute(name);
    }
    let at = from.firstChild;
    for (const next of [...to.childNodes]) {
      const same = find(from, at, next);
      if (!same) {
        from.insertBefore(document.importNode(next, true), at);
        continue;
      }
      if (same !== at) from.insertBefore(same, at);
      if (same.nodeType === Node.ELEMENT_NODE) morph(same, next);
      else if (same.nodeValue !== next.nodeValue) same.nodeValue = next.nodeValue;
      at = same.nextSibling;
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  // find gives the node that becomes next: the one of its id, else the one at
  // its place, if it is of its kind.
  function find(parent, at, next) {
    if (next.id) {
      const known = document.getElementById(next.id);
      return known && known.parentNode === parent ? known : null;
    }
    return at && !at.id && at.nodeName === next.nodeName ? at : null;
  }

  pause.hidden = false;
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume' : 'Pause';
    say(paused ? 'Updates are paused' : '');
    if (!paused) update();
  });
  document.addEventListener('visibilitychange', update);
  say('Updates every ' + Math.round(every / 1000) + ' s');
  said.setAttribute('aria-live', 'polite'); // from now on, what changes of it
  timer = setTimeout(update, every);
})();
