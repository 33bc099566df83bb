// Tabs as the ARIA pattern has them: arrows move, the panel follows; what a tab shows may load when first opened.

import { all, find } from './dom';

export function tabs(list: HTMLElement, opened: (name: string) => void): (name: string) => void {
  const buttons = all<HTMLButtonElement>('[role=tab]', list);
  const select = (button: HTMLButtonElement, focus: boolean): void => {
    for (const other of buttons) {
      const on = other === button;
      other.setAttribute('aria-selected', String(on));
      other.tabIndex = on ? 0 : -1;
      find(`#${other.getAttribute('aria-controls')}`).hidden = !on;
    }
    if (focus) button.focus();
    opened(button.dataset['tab'] ?? '');
  };
  buttons.forEach((button, i) => {
    button.onclick = () => select(button, false);
    button.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = step && buttons[(i + step + buttons.length) % buttons.length];
      if (next) select(next, true);
    };
  });
  return (name) => {
    const button = buttons.find((b) => b.dataset['tab'] === name);
    if (button) select(button, false);
  };
}
