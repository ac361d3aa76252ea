// `kubeproxyd play`: what was recorded comes out byte for byte, in its time or faster; on a terminal space pauses, q and ^C end
// it and leave the terminal as it was; broken and unfinished recordings are told with their place. Nothing else runs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { binary, run } from './harness.mjs';

const directory = mkdtempSync(join(tmpdir(), 'eksgate-play-'));
after(() => rmSync(directory, { recursive: true }));
const HEADER = `${JSON.stringify({ version: 2, width: 80, height: 24, timestamp: 1700000000 })}\n`;
const event = (at, code, text) => `${JSON.stringify([at, code, text])}\n`;
const put = (name, text) => writeFileSync(join(directory, name), text);
const play = (words, options) => run(binary('kubeproxyd'), ['play', '--dir', directory, ...words], options);

put('aa11.cast', HEADER + event(0.1, 'o', 'one\r\n') + event(0.2, 'i', 'secret') + event(1.1, 'o', 'zwölf \u001b[1m\u0000\u{1f600}') + event(1.2, 'm', 'exit 0'));
put('aa22.cast.part', `${HEADER}${event(0, 'o', 'so ')}${event(0, 'o', 'far')}[0.1,"o","to`);
put('slow.cast', HEADER + event(60, 'o', 'late'));
put('bad.cast', `${HEADER}${event(0, 'o', 'a')}[1,"o",}\n{}\n${event(0, 'o', 'b')}`);

test('what was recorded', async () => {
	const whole = await play(['aa1', '--no-timing']);
	assert.deepEqual([whole.code, whole.stdout, whole.stderr], [0, 'one\r\nzwölf \u001b[1m\u0000\u{1f600}', '']);
	assert.equal((await play([join(directory, 'aa11.cast'), '--speed', '100'])).stdout, whole.stdout);
	const started = Date.now();
	await play(['aa1', '--idle-limit', '0.3']);
	const took = Date.now() - started;
	assert.ok(took >= 400, `0.1 s and 0.3 s instead of 1 s: ${took} ms`);
	const asIs = Date.now();
	await play(['aa11']);
	assert.ok(Date.now() - asIs >= 1100, 'in its own time');
	const fast = Date.now();
	await play(['slow', '--speed', '100']);
	assert.ok(Date.now() - fast < 30000, 'a minute in 0.6 s');
});

test('what cannot be played', async () => {
	const part = await play(['aa2', '--no-timing']);
	assert.deepEqual([part.code, part.stdout], [0, 'so far']);
	assert.match(part.stderr, /so far/);
	const bad = await play(['bad', '--no-timing']);
	assert.deepEqual([bad.code, bad.stdout], [1, 'ab']);
	assert.match(bad.stderr, /bad\.cast:3:8: a value was expected\n.*bad\.cast:4:1: no event/);
	const year = 31536000;
	put('fro.cast', HEADER + (event(year, 'i', 'a') + event(0, 'i', 'b')).repeat(50) + event(0, 'm', 'exit 0'));
	const fro = await play(['fro', '--speed', '0.1']);
	assert.deepEqual([fro.code, fro.stderr], [0, ''], 'times that run to and fro');
	for (const [words, code, pattern] of [
		[['aa'], 1, /"aa" is the beginning of 2 recordings: aa\d\d, aa\d\d/],
		[['zz'], 1, /no recording in \S+ begins with "zz"/],
		[[join(directory, 'none.cast')], 1, /none\.cast: No such file/],
		[['aa1', '--speed', '0.05'], 2, /--speed "0\.05": must be a number from 0\.1 to 100/],
		[['aa1', '--speed', '1e1'], 2, /--speed/],
		[['aa1', '--idle-limit', '-1'], 2, /--idle-limit/],
		[[], 2, /play takes ID\|FILE/],
	]) {
		const result = await play(words);
		assert.equal(result.code, code, words.join(' '));
		assert.match(result.stderr, pattern);
	}
});

// Names come from a directory that others may write to.
test('what would reach the terminal', async () => {
	for (const name of ['esc\u001b[31ma', 'esc\u001b[31mb', 'one\u009b31m']) put(`${name}.cast`, `${HEADER}nothing\n`);
	const several = await play(['esc']);
	assert.match(several.stderr, /is the beginning of 2 recordings: esc\\x1b\[31m[ab], esc/);
	const bad = await play(['one', '--no-timing']);
	assert.match(bad.stderr, /one\\x9b31m\.cast:2:1: /);
	const missing = await play([join(directory, 'no\u001b[31m.cast')]);
	for (const { stderr } of [several, bad, missing]) assert.doesNotMatch(stderr, /[\u001b\u009b]/);
	assert.equal(bad.stderr.split('\n').length, 2, 'lines are lines');
});

// Memory does not grow with the recording.
test('a long recording', async () => {
	const line = event(0, 'o', 'x'.repeat(1000));
	put('long.cast', HEADER + line.repeat(20000));
	const { code, stdout, stderr } = await run('sh', [
		'-c',
		`ulimit -v ${process.env.EKSGATE_BUILD?.includes('asan') ? 'unlimited' : 60000}; exec "$0" play --no-timing "$1"`,
		binary('kubeproxyd'),
		join(directory, 'long.cast'),
	]);
	assert.deepEqual([code, stdout.length], [0, 20000000], stderr);
});

// On a terminal that python makes: {output, modes: whether they are what they were, status}.
function onTerminal(file, keys) {
	const script = `
import fcntl, json, os, select, sys, termios, time
master, slave = os.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(slave, fd)
    os.execv(sys.argv[1], sys.argv[1:-1])
output, status = b"", None
keys = json.loads(sys.argv[-1])
deadline = time.time() + 20
while status is None and time.time() < deadline:
    if keys and keys[0][0].encode() in output:
        pattern, wait, text = keys.pop(0)
        time.sleep(wait)
        os.write(master, text.encode())
    done, code = os.waitpid(pid, os.WNOHANG)
    status = code if done else None
    while select.select([master], [], [], 0.02)[0]:
        output += os.read(master, 65536)
during = termios.tcgetattr(slave)
print(json.dumps({"output": output.decode("utf8", "replace"), "status": status, "same": during == before}))
`;
	return new Promise((resolve, reject) => {
		const child = spawn('python3', ['-c', script, binary('kubeproxyd'), 'play', file, JSON.stringify(keys)], {
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		let text = '';
		child.stdout.on('data', (part) => {
			text += part;
		});
		child.on('error', reject);
		child.on('close', () => resolve(JSON.parse(text)));
	});
}

test('on a terminal', async () => {
	const file = join(directory, 'screen.cast');
	put('screen.cast', HEADER + event(0, 'o', '\u001b[?1049hfirst') + event(0.5, 'o', 'second') + event(60, 'o', 'late'));
	const quit = await onTerminal(file, [['second', 0, 'q']]);
	assert.deepEqual([quit.status, quit.same], [0, true], JSON.stringify(quit));
	assert.match(quit.output, /first[^]*second\u001b\[\?1049l\u001b\[!p/);
	// What an editor has switched on does not type into the shell: mouse, focus, other forms of keys.
	assert.match(quit.output, /\u001b\[\?[\d;]*\b1000;[\d;]*\b1004;[\d;]*l[^]*\u001b\[>4m\u001b\[<u/);
	const interrupted = await onTerminal(file, [['second', 0, '\u0003']]);
	assert.deepEqual([interrupted.status & 127, interrupted.same], [2, true], JSON.stringify(interrupted));
	assert.match(interrupted.output, /\u001b\[\?1049l/);
	// Paused before the second, it does not come until space is pressed again; an answer of the terminal is no key.
	const paused = await onTerminal(file, [['first', 0, ' '], ['first', 1, '\u001b[?1;2q'], ['first', 0.2, ' '], ['second', 0, 'q']]);
	assert.deepEqual([paused.status, paused.same], [0, true], JSON.stringify(paused));
	put('plain.cast', HEADER + event(0, 'o', 'text') + event(0, 'm', 'exit 0'));
	const plain = await onTerminal(join(directory, 'plain.cast'), []);
	assert.doesNotMatch(plain.output, /1049l/, 'where the usual screen is, the cursor stays');
	assert.match(plain.output, /exit 0/);
});
