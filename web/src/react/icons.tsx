/* Line drawings, 24 by 24. Every severity and every state of the connection has a shape of its own, so that nothing
 * is told by colour alone. */
const SHAPES = {
  bell: 'M6 9.5a6 6 0 0 1 12 0c0 5 2 6.5 2 6.5H4s2-1.5 2-6.5M10 19.5a2.2 2.2 0 0 0 4 0',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  close: 'm6.5 6.5 11 11m0-11-11 11',
  info: 'M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17M12 11.5V16M12 8v.01',
  success: 'M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17m-3.5 8.8L11 14.7l4.5-5',
  warning: 'M12 4 3 19.5h18zM12 10v4M12 16.8v.01',
  error: 'M8.5 3.5h7l5 5v7l-5 5h-7l-5-5v-7zM12 8v5M12 16v.01',
  OPEN: 'M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10z',
  CONNECTING: 'M12 4a8 8 0 1 1-8 8',
  RECONNECTING: 'M12 4a8 8 0 1 1-8 8',
  CLOSING: 'M5 12h14',
  CLOSED: 'M5 5h14v14H5zM5 19 19 5',
  FAILED: 'm6 6 12 12m0-12L6 18',
} as const;

export function Icon({ name }: { name: keyof typeof SHAPES }) {
  return (
    <svg className="pgh-icon" data-icon={name} viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}
