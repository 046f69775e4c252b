
'use strict';
(() => {
  const byId = (id) => document.getElementById(id);
  const [form, words, found] = [byId('search'), byId('words'), byId('found')];
  const folds = [...document.querySelectorAll('details')];
  const wasOpen = new Map();
  const texts = new Map([...document.querySelectorAll('pre')].map((pre) => [pre, pre.textContent]));
  const setAll = (open) => folds.forEach((fold) => { fold.open = open; });

  // Hides rows, lines and sentences without all of the words; returns how many remain. The title
  // of a part belongs to all that is in it.
  const filter = (wanted) => {
    const fits = (element, text) => {
      const fold = element.closest('details');
      const all = (fold ? fold.querySelector('summary').textContent + ' ' : '') + text;
      return wanted.every((word) => all.toLowerCase().includes(word));
    };
    let count = 0;
    document.querySelectorAll('main tbody tr, main section p:not(.about)').forEach((element) => {
      element.hidden = !fits(element, element.textContent);
      count += element.hidden ? 0 : 1;
    });
    texts.forEach((text, pre) => {
      const lines = text.split('\n').filter((line) => line !== '' && fits(pre, line));
      pre.textContent = lines.join('\n') + '\n';
      pre.hidden = lines.length === 0;
      count += lines.length;
    });
    document.querySelectorAll('main .wide').forEach((table) => {
      table.hidden = !table.querySelector('tbody tr:not([hidden])');
    });
    const left = '.wide:not([hidden]), p:not([hidden]):not(.about), pre:not([hidden])';
    folds.forEach((fold) => {
      fold.open = Boolean(fold.querySelector(left));
      fold.hidden = !fold.open;
    });
    document.querySelectorAll('main section').forEach((section) => {
      section.hidden = !section.querySelector(left);
    });
    return count;
  };

  const clear = () => {
    document.querySelectorAll('main [hidden]').forEach((element) => { element.hidden = false; });
    texts.forEach((text, pre) => { pre.textContent = text; });
    wasOpen.forEach((open, fold) => { fold.open = open; });
    wasOpen.clear();
    found.textContent = '';
  };

  const search = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter((word) => word !== '');
    if (wanted.length === 0) {
      clear();
      return;
    }
    if (wasOpen.size === 0) {
      folds.forEach((fold) => wasOpen.set(fold, fold.open));
    }
    const count = filter(wanted);
    found.textContent = count === 1 ? '1 row or line' : count + ' rows and lines';
  };

  let timer = 0;
  words.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    search();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && document.activeElement !== words) {
      event.preventDefault();
      words.focus();
    } else if (event.key === 'Escape' && document.activeElement === words) {
      words.value = '';
      search();
    }
  });
  byId('open').addEventListener('click', () => setAll(true));
  byId('close').addEventListener('click', () => setAll(false));

  // Paper cannot be unfolded.
  const folded = new Set();
  addEventListener('beforeprint', () => folds.filter((fold) => !fold.open).forEach((fold) => {
    folded.add(fold);
    fold.open = true;
  }));
  addEventListener('afterprint', () => {
    folded.forEach((fold) => { fold.open = false; });
    folded.clear();
  });
  form.hidden = false;
})();
