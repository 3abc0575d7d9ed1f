// The manual page and the shell's completion, which both ask the program: neither may lack anything that it has.
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pgherald, root, scratch } from './lib/env.mjs';
import { run } from './lib/program.mjs';

/** A copy that the servers' account may read; its path. */
function readable(path) {
  const copy = join(scratch, path.split('/').at(-1));
  copyFileSync(join(root, path), copy);
  return copy;
}

const helpOf = async (...command) => (await run(pgherald, [...command, '--help'])).output;
const commandsIn = (help) => [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
const optionsIn = (help) => [...new Set(help.match(/(?<=^ +)--[a-z-]+/gm))];

describe('the manual page', () => {
  it('has every command, option and variable, and every line of their help', async () => {
    const { code, output } = await run('sh', [readable('cmake/manpage.sh'), pgherald]);
    assert.equal(code, 0, output);
    // As it is read: without the requests and escapes of roff.
    const text = output.replace(/^\.(?:SS|TP|nf|fi).*\n/gm, '').replace(/\\f[BR]/g, '').replace(/\\&/g, '').replace(/\\-/g, '-').replace(/\\e/g, '\\');
    const help = await helpOf();
    const commands = commandsIn(help);
    assert.ok(commands.includes('serve') && commands.includes('migrate'), help);
    for (const command of commands) {
      const own = await helpOf(command);
      assert.ok(output.includes(`\n.SS ${command}\n`), command);
      assert.ok(optionsIn(own).length > 0, own);
      for (const line of own.split('\n').map((one) => one.trim().replace(/^(?:[Uu]sage|Exit status): /, ''))) assert.ok(text.includes(line), `${command}: ${line}`);
    }
    const variables = (await helpOf('serve')).match(/(?<=^ {2})HERALD_\w+/gm);
    assert.ok(variables.length > 20);
    for (const name of variables) assert.ok(output.includes(`\n.TP\n\\fB${name}\\fR (default: `), name);
  });
});

describe('completion in bash', () => {
  const script = readable('deploy/completion/pgherald.bash');
  const folder = join(scratch, 'completion');
  mkdirSync(join(folder, 'data dir'), { recursive: true });
  writeFileSync(join(folder, 'key file'), '');

  /** What is offered for the last of these words. */
  async function offered(...words) {
    const { code, output } = await run('bash', ['-c', `source "$0"; cd "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _pgherald
      printf '%s\\n' "\${COMPREPLY[@]}"`, script, folder, pgherald, ...words]);
    assert.equal(code, 0, output);
    return output.split('\n').filter(Boolean).sort(); // as JavaScript does, whatever the locale
  }

  it('offers the commands, and those that begin as the word does', async () => {
    assert.deepEqual(await offered(''), [...commandsIn(await helpOf()), '--help', '--version'].sort());
    assert.deepEqual(await offered('ser'), ['serve']);
    assert.deepEqual(await offered('--v'), ['--version']);
    assert.deepEqual(await offered('nothing'), []);
  });

  it('offers a command its options', async () => {
    for (const command of commandsIn(await helpOf())) {
      assert.deepEqual(await offered(command, '--'), [...new Set([...optionsIn(await helpOf(command)), '--help'])].sort(), command);
    }
    assert.deepEqual(await offered('migrate', '--status', '--wa'), ['--wait']);
    assert.deepEqual(await offered('nonsense', '--'), []);
  });

  it('offers files and folders where an option takes one, and nothing where it takes something else', async () => {
    assert.deepEqual(await offered('serve', '--config', ''), ['data dir', 'key file']);
    assert.deepEqual(await offered('token', '--key', 'key'), ['key file']);
    assert.deepEqual(await offered('dev', '--dir', ''), ['data dir']);
    assert.deepEqual(await offered('migrate', '--wait', ''), []);
    assert.deepEqual(await offered('token', '--sub', ''), []);
  });
});
