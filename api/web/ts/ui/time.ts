// Times in the reader's own zone, with the zone's name. Without script the page shows the clinic's, named as well.

import { all } from './dom';

export function readersTimes(): void {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    weekday: 'short', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short',
  });
  for (const element of all<HTMLTimeElement>('time[data-reader-time]')) element.textContent = format.format(new Date(element.dateTime));
}
