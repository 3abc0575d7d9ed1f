/* The demo page: two users of one relay side by side, and the switches of the page around them. */
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { arabic, english, german } from '../../src/react/index.js';
import '../../src/styles.css';
import './demo.css';
import { createPerson } from './person.js';
import { Window } from './Window.js';

const LANGUAGES = { English: english, Deutsch: german, 'العربية': arabic };
const THEMES = { System: 'light dark', Light: 'light', Dark: 'dark' };
const DIRECTIONS = { 'Left to right': 'ltr', 'Right to left': 'rtl' };

/** What /dev.json tells. */
interface Facts {
  readonly psql: string;
}

const people = [createPerson('alice', 'bob'), createPerson('bob', 'alice')];

function Choice({ name, options, value, choose }: { name: string; options: object; value: string; choose: (value: string) => void }) {
  return (
    <fieldset className="choice">
      <legend>{name}</legend>
      {Object.keys(options).map((option) => (
        <label key={option}>
          <input type="radio" name={name} checked={option === value} onChange={() => choose(option)} />
          <span>{option}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Command({ psql }: Facts) {
  const line = `${psql} -c "select herald.notify_user('alice', title => 'Hello from SQL', message => 'It works')"`;
  const [copied, setCopied] = useState(false);
  const copy = () => void navigator.clipboard.writeText(line).then(() => setCopied(true), () => getSelection()?.selectAllChildren(document.querySelector('code')!));
  return (
    <section className="command" aria-labelledby="command">
      <h2 id="command">From SQL, in a terminal</h2>
      <pre tabIndex={0} aria-label="Command"><code>{line}</code></pre>
      <button type="button" onClick={copy}>{copied ? 'Copied' : 'Copy'}</button>
    </section>
  );
}

function App({ psql }: Facts) {
  const [language, setLanguage] = useState('English');
  const [theme, setTheme] = useState('System');
  const [direction, setDirection] = useState('Left to right');
  const labels = LANGUAGES[language as keyof typeof LANGUAGES];
  useEffect(() => {
    document.documentElement.dataset.theme = theme.toLowerCase();
  }, [theme]);
  const speak = (name: string) => {
    setLanguage(name);
    setDirection(name === 'العربية' ? 'Right to left' : 'Left to right');
  };
  return (
    <>
      <header className="bar">
        <h1><svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9" /><path d="M10 7v18M10 8.5h13.5l-4 4.25 4 4.25H10z" /></svg>pgherald</h1>
        <Choice name="Language" options={LANGUAGES} value={language} choose={speak} />
        <Choice name="Direction" options={DIRECTIONS} value={direction} choose={setDirection} />
        <Choice name="Theme" options={THEMES} value={theme} choose={setTheme} />
      </header>
      <main>
        <div className="windows" dir={DIRECTIONS[direction as keyof typeof DIRECTIONS]}>
          {people.map((person, i) => <Window key={person.name} person={person} labels={labels} titleCount={i === 0} />)}
        </div>
        <Command psql={psql} />
      </main>
    </>
  );
}

const facts: Facts = await fetch('dev.json').then((answer) => answer.json(), () => ({ psql: 'psql' }));
createRoot(document.getElementById('root')!).render(<StrictMode><App psql={facts.psql} /></StrictMode>);
