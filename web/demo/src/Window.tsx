/* One user's window: a small shop's back office with the notification centre in its header. */
import { useState } from 'react';
import { NotificationCenter, useNotifications, type Labels } from '../../src/react/index.js';
import type { Person } from './person.js';

const VIEWS = {
  alice: {
    heading: 'Orders', columns: ['Order', 'Customer', 'Total', 'State'],
    rows: [
      ['2048', 'Ferreira & Co.', '184.50 €', 'New'], ['2047', 'M. Lindqvist', '59.00 €', 'Delivered'], ['2046', 'Studio Okafor', '312.00 €', 'Packed'],
      ['2045', 'J. Moreau', '24.90 €', 'Sent'], ['2044', 'Haus Bergmann', '96.00 €', 'Sent'], ['2043', 'A. Rossi', '148.00 €', 'Delivered'],
    ],
  },
  bob: {
    heading: 'Warehouse', columns: ['Shelf', 'Article', 'Stock', 'State'],
    rows: [
      ['A-12', 'Desk lamp', '4', 'Low'], ['A-14', 'Wall clock', '38', 'Enough'], ['B-02', 'Oak stool', '17', 'Enough'],
      ['B-07', 'Linen towel', '120', 'Enough'], ['C-01', 'Stoneware mug', '9', 'Low'], ['C-03', 'Serving tray', '26', 'Enough'],
    ],
  },
};

function View({ name }: { name: string }) {
  const { heading, columns, rows } = name === 'bob' ? VIEWS.bob : VIEWS.alice;
  return (
    <table>
      <caption>{heading}</caption>
      <thead><tr>{columns.map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
      <tbody>
        {rows.map((cells) => (
          <tr key={cells[0]}>{cells.map((text, i) => <td key={columns[i]}>{i === 3 ? <span className="chip">{text}</span> : text}</td>)}</tr>
        ))}
      </tbody>
    </table>
  );
}

/** What can go wrong, at the press of a button. */
function Switches({ person }: { person: Person }) {
  const { name, client, dropConnection, expireToken, makeSamples } = person;
  const { isConnected } = useNotifications({ client });
  const [hint, setHint] = useState('');
  const samples = async (count: number) => setHint((await makeSamples(count)) ? '' : 'This relay makes no samples: paste the psql line below.');
  return (
    <fieldset className="switches">
      <legend>{`What happens to ${name}`}</legend>
      <button type="button" onClick={() => void samples(1)}>Send one</button>
      <button type="button" onClick={() => void samples(500)}>Send 500</button>
      <button type="button" disabled={!isConnected} onClick={dropConnection}>Drop connection</button>
      <button type="button" disabled={!isConnected} onClick={expireToken}>Expire token</button>
      <p role="status">{hint}</p>
    </fieldset>
  );
}

export function Window({ person, labels, titleCount }: { person: Person; labels: Labels; titleCount: boolean }) {
  const { name, client } = person;
  return (
    <section className="window" aria-label={`${name}'s window`} data-user={name}>
      <header>
        <span className="avatar" aria-hidden="true">{name.charAt(0).toUpperCase()}</span>
        <strong>{name}</strong>
        <NotificationCenter client={client} labels={labels} titleCount={titleCount} desktop debug />
      </header>
      <View name={name} />
      <Switches person={person} />
    </section>
  );
}
