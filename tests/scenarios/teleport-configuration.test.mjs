// The file that the EKS auto-discovery guide shows is accepted byte for byte, and a scan with its rules finds what it wants.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { command, scenario } from './harness.mjs';

const fixture = fileURLToPath(new URL('../vectors/teleport.yaml', import.meta.url));

scenario('the configuration of the guide', async (world) => {
	copyFileSync(fixture, world.path('eksgate.yaml'));
	for (const name of ['discoveryd', 'kubeproxyd']) {
		const result = await command(world, name, ['check']);
		assert.doesNotMatch(
			result.stderr + result.stdout,
			/eksgate\.yaml:\d+:\d+/,
			`${name} finds no fault with the file`,
		);
	}
	assert.equal((await command(world, 'discoveryd', ['check'])).code, 0);
	const scan = await command(world, 'discoveryd', ['scan']);
	assert.equal(scan.code, 0, scan.stderr);
	for (const name of ['prod-1', 'prod-2']) assert.match(scan.stdout, new RegExp(name));
	assert.doesNotMatch(scan.stdout, /staging-eks/);
});
