// What discoveryd serves and publishes is what proto/kube_cluster.schema.json says, by a validator that is not ours; and the
// schema is no rubber stamp.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import { command, MATCHED, scenario, startBustap, startDiscoveryd } from './harness.mjs';

const schema = JSON.parse(readFileSync(new URL('../../proto/kube_cluster.schema.json', import.meta.url), 'utf8'));
const validate = new Ajv({ allErrors: true, validateFormats: false }).compile(schema);

function check(document, from) {
	assert.ok(validate(document), `${from}: ${JSON.stringify(validate.errors)}`);
}

scenario('the schema of the resource', async (world) => {
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const got = await command(world, 'discoveryd', ['get', 'kube_cluster', '--format', 'json']);
	const documents = JSON.parse(got.stdout);
	assert.equal(documents.length, MATCHED.length);
	for (const document of documents) check(document, 'get');

	const tap = startBustap(world, ['--count', '4']);
	await tap.endsWith(0);
	const published = tap.messages().flatMap((message) => message.body?.items ?? []).map((item) => item.resource);
	assert.equal(published.length, MATCHED.length);
	for (const document of published) check(document, 'bus');

	for (const [what, spoil] of [
		['no endpoint', (document) => delete document.spec.endpoint],
		['a plain-text endpoint', (document) => (document.spec.endpoint = 'http://x')],
		['a name that is a path', (document) => (document.metadata.name = '../x')],
		['an account that is a number', (document) => (document.spec.aws.account_id = 1)],
		['another kind', (document) => (document.kind = 'node')],
		['labels that are a list', (document) => (document.metadata.labels = [])],
	]) {
		const bad = structuredClone(documents[0]);
		spoil(bad);
		assert.ok(!validate(bad), what);
	}
});
