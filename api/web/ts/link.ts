// The page behind a patient's or guest's link. The secret is in the address's fragment, which browsers never send: this
// script reads it, wipes it from the address bar, and posts it with the proof.

import { ask, find, maybe, readWords, Refused } from './ui/dom';

const form = find<HTMLFormElement>('[data-link-form]');
const problem = find('[data-problem]', form);
const button = find<HTMLButtonElement>('button[type=submit]', form);
const words = readWords();

const secret = location.hash.slice(1);
if (secret) history.replaceState({ secret }, '', location.pathname);
const kept = secret || ((history.state as { secret?: string } | null)?.secret ?? '');

function say(text: string): void {
  problem.textContent = text;
  problem.hidden = text === '';
}

/** Moves on to the next box when one is full, as people expect of three boxes. */
function hop(): void {
  const boxes = [...form.querySelectorAll<HTMLInputElement>('input[inputmode=numeric]')];
  boxes.forEach((box, i) => {
    box.addEventListener('input', () => {
      box.removeAttribute('aria-invalid');
      if (box.value.length === box.maxLength) boxes[i + 1]?.focus();
    });
  });
}

function dateOfBirth(): string | undefined {
  const [day, month, year] = ['day', 'month', 'year'].map((name) =>
    Number(find<HTMLInputElement>(`input[name=${name}]`, form).value));
  if (!day || !month || !year) return undefined;
  const date = new Date(Date.UTC(year, month - 1, day));
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists && year > 1880 ? date.toISOString().slice(0, 10) : undefined;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void send();
});

async function send(): Promise<void> {
  const wantsDate = form.dataset['kind'] === 'patient';
  const birthDate = wantsDate ? dateOfBirth() : '';
  if (birthDate === undefined) {
    form.querySelectorAll('input[inputmode=numeric]').forEach((box) => box.setAttribute('aria-invalid', 'true'));
    say(words('patient.js.link.no-date'));
    find<HTMLInputElement>('input[name=day]', form).focus();
    return;
  }
  button.disabled = true;
  say('');
  try {
    const { next } = await ask<{ next: string }>('POST', form.action, { secret: kept, birthDate });
    location.assign(next);
  } catch (error) {
    say(error instanceof Refused && error.message ? error.message : words('patient.js.offline'));
    button.disabled = false;
  }
}

/** Another language is another page: the secret has to come along, which an ordinary form would lose. */
async function switchLanguage(preferences: HTMLFormElement, button: HTMLElement | null): Promise<void> {
  const body = new URLSearchParams(new FormData(preferences, button) as unknown as Record<string, string>);
  await fetch(preferences.action, { method: 'POST', body, redirect: 'manual' });
  if (kept) history.replaceState(null, '', `${location.pathname}#${kept}`);
  location.reload();
}

const preferences = maybe<HTMLFormElement>('form[action="/preferences"]');
preferences?.addEventListener('submit', (event) => {
  event.preventDefault();
  switchLanguage(preferences, event.submitter).catch(() => say(words('patient.js.offline')));
});

hop();
if (!kept) {
  say(words('patient.js.link.incomplete'));
  button.disabled = true;
}
