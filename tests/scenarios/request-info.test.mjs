// `kubeproxyd request-info` sees in a request what Kubernetes' own resolver sees, or refuses it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { binary, run } from './harness.mjs';

const vectors = JSON.parse(readFileSync(new URL('../vectors/requestinfo.json', import.meta.url), 'utf8'));

test('request-info agrees with Kubernetes', async () => {
	let refused = 0;
	for (const vector of vectors) {
		const at = vector.request.indexOf(' ');
		const result = await run(binary('kubeproxyd'), [
			'request-info',
			vector.request.slice(0, at),
			vector.request.slice(at + 1),
		]);
		const seen = JSON.parse(result.stdout);
		if (seen.refused !== undefined) {
			assert.equal(result.code, 1, vector.request);
			assert.ok(seen.refused.length > 0);
			refused++;
			continue;
		}
		assert.equal(result.code, 0, vector.request);
		const names = vector.resource_request
			? ['verb', 'api_group', 'api_version', 'resource', 'subresource', 'namespace', 'name']
			: ['verb'];
		for (const name of ['resource_request', ...names])
			assert.equal(seen[name], vector[name], `${vector.request}: ${name}`);
	}
	assert.ok(refused > 10 && refused < vectors.length / 2, `${refused} of ${vectors.length} refused`);
});
