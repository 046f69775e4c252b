
'use strict';
(() => {
  // Without this script there is nothing to type into or to press.
  const add = (parent, name, attributes, text) => {
    const element = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    element.textContent = text;
    return parent.appendChild(element);
  };
  const form = add(document.body, 'form', { id: 'search', role: 'search' }, '');
  document.querySelector('header').after(form);
  const label = 'Show only rows and lines with these words';
  const words = add(form, 'input', { id: 'words', type: 'search', placeholder: 'Search', 'aria-label': label }, '');
  const open = add(form, 'button', { type: 'button' }, 'Open all');
  const close = add(form, 'button', { type: 'button' }, 'Close all');
  const found = add(form, 'output', { id: 'found', for: 'words' }, '');
  const folds = [...document.querySelectorAll('details')];
  const wasOpen = new Map();
  const texts = new Map([...document.querySelectorAll('pre')].map((pre) => [pre, pre.textContent]));
  const setAll = (yes) => folds.forEach((fold) => { fold.open = yes; });

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
    wasOpen.forEach((yes, fold) => { fold.open = yes; });
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
  open.addEventListener('click', () => setAll(true));
  close.addEventListener('click', () => setAll(false));

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
})();
