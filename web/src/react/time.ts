/* A time goes in, words come out: "5 minutes ago", or the date when a week has passed. */

const UNITS = [['day', 86_400], ['hour', 3_600], ['minute', 60]] as const;

export function timeAgo(created: string, now_ms: number, locale: string): string {
  const seconds = Math.max(0, (now_ms - Date.parse(created)) / 1000);
  if (seconds >= 7 * 86_400) return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(Date.parse(created));
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const unit = UNITS.find(([, size]) => seconds >= size);
  return unit ? words.format(-Math.floor(seconds / unit[1]), unit[0]) : words.format(0, 'second');
}

export const fullTime = (created: string, locale: string) =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' }).format(Date.parse(created));
