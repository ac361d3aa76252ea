// What makes files fail below a daemon (tests/sim/faults.c) does what it is told, to the files that it is told of, and nothing
// else; an order that says nothing ends the program. Python does the writing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Running } from '../clients/run.mjs';
import { Faults } from './faults.mjs';
import { run } from './harness.mjs';

const directory = mkdtempSync(join(tmpdir(), 'eksgate-faults-'));
after(() => rmSync(directory, { recursive: true }));
const faults = new Faults({ path: (name) => join(directory, name), asanOptions: '' });

// Each call on each of two files, an error or "done" a line.
const PROGRAM = `
import errno, os, sys
place = os.open(sys.argv[1], os.O_RDONLY)
names = ["a.part", "b"]
files = [os.open(name, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=place) for name in names]
calls = {
    "write": lambda i: os.write(files[i], b"x"),
    "pwrite": lambda i: os.pwrite(files[i], b"x", 0),
    "fsync": lambda i: os.fsync(files[i]),
    "fdatasync": lambda i: os.fdatasync(files[i]),
    "ftruncate": lambda i: os.ftruncate(files[i], 0),
    "rename": lambda i: os.rename(names[i], names[i], src_dir_fd=place, dst_dir_fd=place),
    "open": lambda i: os.close(os.open(names[i], os.O_RDONLY, dir_fd=place)),
}
print("begun", flush=True)
sys.stdin.readline()
for name, call in calls.items():
    for i in 0, 1:
        try:
            call(i)
            print(name, names[i], "done", flush=True)
        except OSError as error:
            print(name, names[i], errno.errorcode[error.errno], flush=True)
`;
const CALLS = ['write', 'pwrite', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'open'];
const [program, ...words] = [...faults.below.wrap, 'python3', '-c', PROGRAM, directory];
const lines = (deed) => CALLS.flatMap((call) => [`${call} a.part ${deed(call)}`, `${call} b done`]);

async function begin() {
	const python = new Running(program, words, { stdin: 'pipe' });
	await python.waitFor(/begun/, { stream: 'stdout' });
	return python;
}

async function finish(python) {
	python.child.stdin.end('\n');
	assert.equal((await python.ended).code, 0, python.stderr);
	return python.stdout.trim().split('\n').slice(1);
}

test('calls that fail', async () => {
	for (const error of ['EIO', 'ENOSPC']) {
		faults.order();
		const python = await begin();
		faults.order(...CALLS.map((call) => `fail ${call} ${error} .part`));
		assert.deepEqual(await finish(python), lines(() => error));
	}
	faults.order();
	assert.deepEqual(await finish(await begin()), lines(() => 'done'));
	assert.deepEqual(faults.struck.slice(0, CALLS.length), CALLS.map((call) => `fail ${call} ${directory}/a.part`));
});

test('calls that wait', async () => {
	for (const call of CALLS) {
		faults.order();
		const python = await begin();
		faults.order(`stall ${call} .part`);
		python.child.stdin.write('\n');
		await faults.untilStruck(new RegExp(`^stall ${call} .*/a\\.part$`));
		assert.ok(!python.stdout.includes(`${call} a.part`), call);
		faults.order();
		assert.deepEqual(await finish(python), lines(() => 'done'));
	}
});

test('what is no order', async () => {
	for (const order of ['fail fsync EWHAT .part', 'fail unlink EIO .part', 'stall pwrite', 'nothing']) {
		faults.order(order);
		const { signal, stderr } = await run(program, words, { input: '\n' });
		assert.equal(signal, 'SIGABRT', order);
		assert.match(stderr, new RegExp(`faults: not an order: ${order}\n`));
	}
	assert.equal(readFileSync(join(directory, 'b'), 'utf8'), '', 'nothing was written by accident');
});
