// What `--help` says and what the manuals say is the same: the verbs, and the options of each. Nothing is started.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { binary, run } from './harness.mjs';

const manual = (name) => readFileSync(new URL(`../../packaging/man/${name}.8`, import.meta.url), 'utf8');

// {verb: [option]} of the part of a manual's synopsis that is about verbs.
function synopsisOf(name, verbs) {
	const [, synopsis] = /\n\.Sh SYNOPSIS\n([^]*?)\n\.Sh /.exec(manual(name));
	const found = {};
	for (const part of synopsis.split(/^\.Nm$/m)) {
		const words = [...part.matchAll(/\bCm ([\w-]+)/g)].map(([, word]) => word);
		const verb = words.find((word) => verbs.includes(word));
		if (verb === undefined) continue;
		found[verb] = new Set([...(found[verb] ?? []), ...[...part.matchAll(/\bFl -([\w-]+)/g)].map(([, option]) => option)]);
	}
	return Object.fromEntries(Object.entries(found).map(([verb, options]) => [verb, [...options].sort()]));
}

for (const name of ['discoveryd', 'kubeproxyd']) {
	test(`${name} --help and its manual`, async () => {
		const { code, stdout } = await run(binary(name), ['--help']);
		assert.equal(code, 0);
		const verbs = [...stdout.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, verb]) => verb);
		const helps = {};
		for (const verb of verbs) {
			const help = await run(binary(name), [verb, '--help']);
			assert.equal(help.code, 0, `${verb}: ${help.stderr}`);
			assert.match(help.stdout, new RegExp(`^usage: ${name} ${verb}`));
			const options = [...help.stdout.matchAll(/^ {2}--([\w-]+)/gm)].map(([, option]) => option);
			helps[verb] = options.filter((option) => option !== 'help').sort();
			for (const line of help.stdout.split('\n')) assert.ok(line.length <= 110, `${verb}: ${line}`);
			const wrong = await run(binary(name), [verb, '--no-such-option']);
			assert.equal(wrong.code, 2);
			assert.match(wrong.stderr, new RegExp(`--no-such-option: ${verb} has no such option\\nusage: ${name} ${verb}`));
		}
		assert.deepEqual(synopsisOf(name, verbs), helps);
		for (const verb of verbs) assert.match(manual(name), new RegExp(`\\n\\.It Cm ${verb}\\b`), `${name}(8) describes ${verb}`);
	});
}
