/* Arrivals and troubles go in; what the live region says comes out: arrivals at most once a second, however many. */
import { useEffect, useState } from 'react';
import type { Inbox } from '../inbox.js';
import type { Labels } from './labels/labels.js';

const PAUSE_MS = 1000;

/** `trouble`: what is wrong now; null when all is well. */
export function useAnnouncer(inbox: Inbox, labels: Labels, trouble: string | null): string {
  const [spoken, setSpoken] = useState('');
  useEffect(() => {
    let count = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let newest = '';
    const speak = () => {
      const text = labels.arrived(count, newest);
      timer = undefined;
      count = 0;
      // A region that is given the same text again stays silent.
      setSpoken((last) => (last === text ? `${text}\u00a0` : text));
    };
    const end = inbox.onArrival(({ title }) => {
      count += 1;
      newest = title;
      timer ??= setTimeout(speak, PAUSE_MS);
    });
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [inbox, labels]);
  useEffect(() => {
    if (trouble) setSpoken(trouble);
  }, [trouble]);
  return spoken;
}
