/* The unread count in front of the document's title, and away again. */
import { useEffect } from 'react';

const COUNT = /^\(\d+\) /;

const setCount = (count: number) => {
  const plain = document.title.replace(COUNT, '');
  document.title = count ? `(${count}) ${plain}` : plain;
};

export function useTitleCount(count: number, on: boolean): void {
  useEffect(() => {
    if (on) setCount(count);
  }, [count, on]);
  useEffect(() => {
    if (on) return () => setCount(0);
    return undefined;
  }, [on]);
}
