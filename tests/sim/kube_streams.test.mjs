// The simulator's upgrades by themselves: kubectl straight at it, over SPDY and over WebSocket.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MINORS } from '../clients/kubectl.mjs';
import { openStage } from './kube_stage.mjs';

let stage;

before(async () => {
	stage = await openStage();
});
after(() => stage.close());

for (const minor of [MINORS[0], MINORS.at(-1)]) {
	test(`kubectl 1.${minor} executes, copies, forwards`, async () => {
		const kubectl = (words, options) => stage.kubectl(words, { minor, ...options });
		const result = await kubectl(['exec', '-i', 'web-1', '--', 'sh', '-c', 'cat; echo problem >&2; exit 7'], {
			input: 'typed',
		});
		assert.deepEqual([result.code, result.stdout], [7, 'typed'], result.stderr);
		assert.match(result.stderr, /problem/);
		const file = join(stage.directory, `copy-${minor}`);
		writeFileSync(file, `copied by ${minor}\n`);
		assert.equal((await kubectl(['cp', file, 'web-1:/tmp/copy'])).code, 0);
		assert.equal((await kubectl(['cp', 'web-1:/tmp/copy', `${file}-back`])).code, 0);
		assert.equal(readFileSync(`${file}-back`, 'utf8'), `copied by ${minor}\n`);
		const running = stage.start(['port-forward', 'pod/web-1', ':8080'], { minor });
		const [, port] = await running.waitFor(/127\.0\.0\.1:(\d+) -> 8080/, { stream: 'stdout' });
		assert.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /hello/);
		await running.kill();
	});
}
