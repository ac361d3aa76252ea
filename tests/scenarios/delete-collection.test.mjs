// deletecollection by somebody whose role is for some names or namespaces: what the role lets the user delete is deleted one
// by one, each as the user, with the request's options, decided and recorded by itself; what is not allowed stays. Failures
// are told, a client that leaves ends it, and more than the limit is refused before anything is deleted.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { encodeObject } from '../sim/kube/protobuf_answer.mjs';
import { fields, text } from '../sim/kube/protobuf_writer.mjs';
import { someRole } from './filtered.mjs';
import { CLUSTERS, nameOf, person, run, scenario, startBoth, until } from './harness.mjs';
import { isLong, writeKubeconfig } from './tools.mjs';

const [prod] = CLUSTERS;
const cluster = nameOf(prod);
const PODS = '/api/v1/namespaces/default/pods';
const MANY = isLong ? 2000 : 1000;
const LIMIT = isLong ? 2000 : 1000;
const AT_A_TIME = 8;
const PYTHON = '/usr/bin/python3'; // Debian's, which has the package
const PROGRAM = fileURLToPath(new URL('../clients/python_client.py', import.meta.url));

const ROLES = someRole('nadia', [
	"kind: pods, namespace: default, name: 'mine-*', verbs: [get, list, delete, deletecollection]",
	"kind: configmaps, namespace: 'team-*', name: '^app-[0-9]+$', verbs: ['*']",
	"kind: services, namespace: default, name: 'mine-*', verbs: [delete, deletecollection]",
	"kind: secrets, namespace: default, name: 'mine-*', verbs: [get, list, delete]",
	"kind: serviceaccounts, namespace: default, name: 'mine-*', verbs: [list, deletecollection]",
	"kind: serviceaccounts, namespace: default, name: mine-1, verbs: [delete]",
]);

const object = (kind, name, namespace = 'default', labels = {}) => ({
	apiVersion: 'v1',
	kind,
	metadata: { name, namespace, labels },
	...(kind === 'Pod' && { spec: { containers: [{ name: 'main', image: 'x' }] }, status: { phase: 'Running' } }),
});

class Stage {
	constructor(world, alice, nadia) {
		Object.assign(this, { world, alice, nadia, one: world.api(prod) });
	}

	async make(kind, names, namespace, labels) {
		for (const name of names) await this.one('POST', '/objects', object(kind, name, namespace, labels));
	}

	// A body of a DELETE has no length of its own in node.
	remove(path, { type, body } = {}, who = this.nadia) {
		const headers = body ? { 'content-type': type, 'content-length': Buffer.byteLength(body) } : {};
		return who.request(`/clusters/${cluster}${path}`, { method: 'DELETE', headers, body });
	}

	// Names that are there, as an unrestricted user sees them.
	async names(path = PODS, prefix = '') {
		const { json } = await this.alice.request(`/clusters/${cluster}${path}`);
		return json.items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(prefix));
	}

	async received(method) {
		return (await this.world.received(prod)).filter((entry) => entry.method === method);
	}

	async forget() {
		await this.one('DELETE', '/requests');
		await this.one('DELETE', '/faults');
	}

	events(resource = 'pods') {
		return readFileSync(this.world.path('audit', 'main.jsonl'), 'utf8')
			.split('\n')
			.filter(Boolean)
			.map((line) => JSON.parse(line))
			.filter(({ objectRef }) => objectRef?.resource === resource);
	}
}

const listed = ({ json }) => json.items.map(({ metadata }) => metadata.name);

async function checkEach(stage) {
	await stage.make('Pod', ['mine-1', 'mine-2', 'other-1']);
	await stage.forget();
	const before = stage.events().length;
	const answer = await stage.remove(PODS);
	assert.equal(answer.status, 200, answer.text);
	assert.equal(answer.json.kind, 'PartialObjectMetadataList');
	assert.deepEqual(listed(answer), ['mine-1', 'mine-2']);
	assert.ok(answer.json.items.every(({ metadata }) => metadata.namespace === 'default' && metadata.uid));
	assert.deepEqual(await stage.names(PODS, 'mine-'), []);
	assert.ok((await stage.names()).includes('other-1'));

	// One list, and a delete for each: as the user, and of the very object that was listed.
	const deletes = await stage.received('DELETE');
	assert.deepEqual(deletes.map(({ target }) => target).sort(), [`${PODS}/mine-1`, `${PODS}/mine-2`]);
	for (const { user, groups, body } of deletes) {
		assert.equal(user, 'nadia');
		assert.ok(groups.includes('developers'));
		const uids = answer.json.items.map(({ metadata }) => metadata.uid);
		assert.ok(uids.includes(JSON.parse(body).preconditions.uid));
	}
	const events = await until('all events', () => {
		const found = stage.events().slice(before);
		return found.filter(({ verb }) => verb === 'deletecollection').length === 1 ? found : null;
	});
	const count = (verb) => events.filter((event) => event.verb === verb && event.user.username === 'nadia');
	assert.deepEqual(count('delete').map(({ objectRef }) => objectRef.name).sort(), ['mine-1', 'mine-2']);
	assert.equal(count('list').length, 1);
	assert.match(count('deletecollection')[0].annotations['authorization.k8s.io/reason'], /some/);

	// Nothing is left: no error.
	const none = await stage.remove(PODS);
	assert.deepEqual([none.status, listed(none)], [200, []]);
}

async function checkOptions(stage) {
	const left = () => stage.names(PODS, 'mine-');
	await stage.make('Pod', ['mine-1', 'mine-2']);
	await stage.make('Pod', ['mine-3', 'mine-4'], 'default', { colour: 'red' });
	// Selectors choose.
	assert.deepEqual(listed(await stage.remove(`${PODS}?labelSelector=colour%3Dred&fieldSelector=metadata.name!%3Dmine-4`)), ['mine-3']);
	assert.deepEqual(await left(), ['mine-1', 'mine-2', 'mine-4']);
	// Dry runs stay dry, wherever they stand.
	await stage.forget();
	const json = (options) => ({ type: 'application/json', body: JSON.stringify(options) });
	assert.equal(listed(await stage.remove(`${PODS}?dryRun=All`)).length, 3);
	assert.equal(listed(await stage.remove(PODS, json({ kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }))).length, 3);
	const raw = fields([[1, 7], [5, text('All')]]);
	const typeMeta = fields([[1, text('v1')], [2, text('DeleteOptions')]]);
	const body = Buffer.concat([Buffer.from('k8s\0'), fields([[1, typeMeta], [2, raw]])]);
	const protobuf = { type: 'application/vnd.kubernetes.protobuf', body };
	assert.equal(listed(await stage.remove(PODS, protobuf)).length, 3);
	assert.deepEqual(await left(), ['mine-1', 'mine-2', 'mine-4']);
	// The rest of the options goes along.
	await stage.forget();
	await stage.remove(PODS, json({ propagationPolicy: 'Foreground', gracePeriodSeconds: 3 }));
	for (const { body: sent } of await stage.received('DELETE')) {
		const options = JSON.parse(sent);
		assert.deepEqual([options.propagationPolicy, options.gracePeriodSeconds], ['Foreground', 3]);
		assert.ok(options.preconditions.uid);
	}
	assert.deepEqual(await left(), []);
	const bad = await stage.remove(PODS, json([]));
	assert.equal(bad.status, 400);
	assert.match(bad.json.message, /DeleteOptions/);
}

async function checkRights(stage) {
	// By expression, in namespaces of a pattern; pages of the client's own choice.
	await stage.make('Namespace', ['team-x']);
	const maps = '/api/v1/namespaces/team-x/configmaps';
	await stage.make('ConfigMap', ['app-1', 'app-2', 'app-x', 'other'], 'team-x');
	// Pages count what may be deleted, and their tokens name nothing else.
	const page = await stage.remove(`${maps}?limit=1`);
	assert.deepEqual(listed(page), ['app-1']);
	assert.equal(page.json.metadata.continue, 'after:app-1');
	await stage.make('ConfigMap', ['app-1'], 'team-x');
	const last = await stage.remove(`${maps}?limit=1&continue=after%3Aapp-1`);
	assert.deepEqual(listed(last), ['app-2']);
	assert.equal(last.json.metadata.continue, undefined);
	assert.deepEqual(listed(await stage.remove(maps)), ['app-1']);
	assert.equal((await stage.remove(`${maps}?continue=eyJ2IjoibWV0YSJ9`)).status, 410);
	assert.deepEqual(await stage.names(maps), ['app-x', 'other']);
	// The right to delete is not the right to delete collections, and without the right to list it cannot be done.
	const secrets = await stage.remove('/api/v1/namespaces/default/secrets');
	assert.equal(secrets.status, 403);
	const services = await stage.remove('/api/v1/namespaces/default/services');
	assert.equal(services.status, 403);
	assert.match(services.json.message, /nothing was deleted.*listed first.*list services/);
	// Nor the other way round: what may be listed and deleted with others, but not by itself, stays, and nobody tries.
	const accounts = '/api/v1/namespaces/default/serviceaccounts';
	await stage.make('ServiceAccount', ['mine-1', 'mine-2']);
	await stage.forget();
	const one = await stage.remove(accounts);
	assert.deepEqual([one.status, listed(one)], [200, ['mine-1']]);
	assert.deepEqual(await stage.names(accounts, 'mine-'), ['mine-2']);
	assert.deepEqual((await stage.received('DELETE')).map(({ target }) => target), [`${accounts}/mine-1`]);
	// API servers know no collection of all namespaces, and none of namespaces.
	assert.equal((await stage.remove('/api/v1/pods')).status, 403);
	// Whoever is not restricted deletes as ever.
	await stage.forget();
	await stage.make('Pod', ['mine-1']);
	const whole = await stage.remove(`${PODS}?labelSelector=none`, {}, stage.alice);
	assert.equal(whole.status, 200);
	assert.equal((await stage.received('DELETE'))[0].target, `${PODS}?labelSelector=none`);
	// kubectl, both ways.
	const { nadia } = stage;
	assert.match(await nadia.kubectlOk(cluster, ['delete', '--raw', PODS]), /"name":"mine-1"/);
	await stage.make('Pod', ['mine-1', 'mine-2']);
	assert.match(await nadia.kubectlOk(cluster, ['delete', 'pods', '--all', '--now']), /mine-1.*\n.*mine-2/);
	assert.match(await nadia.kubectlOk(cluster, ['auth', 'can-i', 'deletecollection', 'pods']), /yes/);
	assert.ok((await stage.names()).includes('other-1'));
}

// As programs do it, which look at the status alone: what the selector and the role choose goes, the rest stays, and each
// deletion is on record, once.
async function checkProgram(stage, what, remove) {
	await stage.make('Pod', ['mine-1', 'mine-2'], 'default', { colour: 'red' });
	await stage.make('Pod', ['mine-3']);
	await stage.make('Pod', ['other-2'], 'default', { colour: 'red' });
	const before = stage.events().length;
	await remove('colour=red');
	assert.deepEqual(await stage.names(PODS, 'mine-'), ['mine-3'], what);
	assert.ok((await stage.names()).includes('other-2'), what);
	const told = await until(`${what}: its event`, () => {
		const events = stage.events().slice(before).filter(({ user }) => user.username === 'nadia');
		return events.some(({ verb }) => verb === 'deletecollection') && events;
	});
	const line = ({ verb, objectRef, responseStatus }) => `${verb} ${objectRef.name ?? '-'} ${responseStatus.code}`;
	assert.deepEqual(told.map(line).sort(), ['delete mine-1 200', 'delete mine-2 200', 'deletecollection - 200', 'list - 200'], what);
	await remove('colour=none');
	await remove();
	assert.deepEqual(await stage.names(PODS, 'mine-'), [], what);
	assert.ok((await stage.names()).includes('other-2'), what);
}

async function checkPrograms(stage) {
	const kubeconfig = writeKubeconfig(stage.nadia, cluster);
	const config = new k8s.KubeConfig();
	config.loadFromFile(kubeconfig);
	const api = config.makeApiClient(k8s.CoreV1Api);
	await checkProgram(stage, 'client-node', async (labelSelector) => {
		const body = { propagationPolicy: 'Background' };
		const answer = await api.deleteCollectionNamespacedPod({ namespace: 'default', labelSelector, body });
		assert.equal(answer.kind, 'PartialObjectMetadataList');
	});
	await checkProgram(stage, 'python3-kubernetes', async (selector) => {
		const options = { env: { PATH: process.env.PATH, HOME: stage.world.directory } };
		const { stdout, stderr } = await run(PYTHON, [PROGRAM, kubeconfig, 'delete-pods', ...(selector ? [selector] : [])], options);
		assert.deepEqual(JSON.parse(stdout || 'null'), { type: 'V1Status', kind: 'PartialObjectMetadataList' }, stderr);
	});
}

// Pages of objects that are large even in their metadata become smaller.
async function checkLarge(stage) {
	for (let i = 0; i < 120; i++) {
		const large = object('Pod', `mine-${i}`);
		large.metadata.annotations = { text: 'x'.repeat(40000) };
		await stage.one('POST', '/objects', large);
	}
	await stage.forget();
	assert.equal(listed(await stage.remove(PODS)).length, 120);
	const limits = (await stage.received('GET')).map(({ target }) => /limit=(\d+)/.exec(target)[1]);
	assert.deepEqual(limits, ['200', '50', '50', '50']);
}

async function checkFailures(stage) {
	await stage.make('Pod', ['mine-1', 'mine-2', 'mine-3', 'mine-4']);
	const fault = (fields) => stage.one('POST', '/faults', { kind: 'status', method: 'DELETE', ...fields });
	const status = (code, message) => JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code });
	// Some fail: the answer says how many were deleted, which were not and why; what can be tried again is.
	await fault({ path: 'mine-2', code: 500, body: status(500, 'etcd is unwell') });
	await fault({ path: 'mine-3', code: 404, body: status(404, 'gone') });
	await fault({ path: 'mine-4', code: 429, times: 1, headers: { 'retry-after': '1' }, body: status(429, 'later') });
	const some = await stage.remove(PODS);
	assert.equal(some.status, 500);
	assert.equal(some.json.kind, 'Status');
	assert.match(some.json.message, /^2 of 4 pods were deleted, 1 could not be: pods "mine-2": etcd is unwell$/);
	assert.deepEqual(some.json.details.causes, [{ reason: 'InternalError', message: 'etcd is unwell', field: 'mine-2' }]);
	await stage.forget();
	assert.deepEqual(await stage.names(PODS, 'mine-'), ['mine-2', 'mine-3']);

	// What was made anew since it was listed stays.
	const stale = { metadata: { name: 'mine-2', namespace: 'default', uid: 'another' } };
	const list = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '1' } };
	const answerList = (items) =>
		stage.one('POST', '/faults', {
			kind: 'status',
			method: 'GET',
			times: 1,
			code: 200,
			type: 'application/vnd.kubernetes.protobuf',
			base64: encodeObject({ ...list, items }).toString('base64'),
		});
	await answerList([stale]);
	const anew = await stage.remove(PODS);
	assert.equal(anew.status, 409);
	assert.match(anew.json.message, /Precondition failed: UID/);
	assert.ok((await stage.names()).includes('mine-2'));
	// A list that cannot be read, or fails, deletes nothing.
	await answerList([{ metadata: { name: 'mine-2', namespace: 'kube-system', uid: 'x' } }]);
	assert.equal((await stage.remove(PODS)).status, 200, 'the role shows nothing of it');
	await stage.one('POST', '/faults', { kind: 'status', method: 'GET', times: 1, code: 503, body: status(503, 'no') });
	const unlisted = await stage.remove(PODS);
	assert.equal(unlisted.status, 503);
	assert.match(unlisted.json.message, /nothing was deleted.*503: no/);
	assert.deepEqual(await stage.names(PODS, 'mine-'), ['mine-2', 'mine-3']);
	await stage.forget();
}

// What fails again and again is not tried for hours.
async function checkBroken(stage) {
	await stage.make('Pod', Array.from({ length: 80 }, (_, i) => `mine-b${i}`));
	await stage.one('POST', '/faults', { kind: 'status', method: 'DELETE', code: 500, body: '{}' });
	const { status, json } = await stage.remove(PODS);
	assert.equal(status, 500);
	const [, failed, untried] = /^0 of 82 pods were deleted, (\d+) could not be, and (\d+) were not tried/.exec(json.message);
	assert.equal(Number(failed) + Number(untried), 82);
	assert.ok(Number(failed) < 50 + AT_A_TIME, json.message);
	assert.equal(json.details.causes.length, 50);
	await stage.forget();
	assert.equal(listed(await stage.remove(`${PODS}?labelSelector=app!%3Dnone`)).length, 82);
	await stage.make('Pod', ['mine-2', 'mine-3']);
	await stage.forget();
}

async function checkLeaving(stage) {
	await stage.make('Pod', Array.from({ length: 30 }, (_, i) => `mine-a${i}`));
	await stage.one('POST', '/faults', { kind: 'hang', method: 'DELETE' });
	const session = stage.nadia.h2();
	const stream = session.request({ ':method': 'DELETE', ':path': `/clusters/${cluster}${PODS}` });
	stream.on('error', () => {});
	await until('the first deletes', async () => (await stage.received('DELETE')).length === AT_A_TIME);
	session.destroy();
	await until('the end of every one', async () => {
		const left = (await stage.received('DELETE')).filter(({ isClosed }) => !isClosed);
		return left.length === 0;
	});
	await until('the events of all', () => {
		const gone = stage.events().filter(({ annotations }) => annotations['eksgate.io/ending'] !== 'done');
		return gone.filter(({ verb }) => verb === 'delete').length >= AT_A_TIME;
	});
	assert.equal((await stage.received('DELETE')).length, AT_A_TIME);
	await stage.forget();
	assert.equal((await stage.names(PODS, 'mine-a')).length, 30);
}

// The right is withdrawn while it runs: nothing more is deleted.
async function checkWithdrawal(stage, kubeproxyd) {
	const roles = stage.world.path('roles.d', 'some.yaml');
	await stage.one('POST', '/faults', { kind: 'hang', method: 'DELETE' });
	const answer = stage.remove(PODS);
	await until('the first deletes', async () => (await stage.received('DELETE')).length === AT_A_TIME);
	writeFileSync(roles, ROLES.replace(', deletecollection]', ']').replace('[get, list, delete]', '[get, list]'));
	kubeproxyd.reload();
	const { status, json } = await answer;
	assert.equal(status, 503);
	assert.match(json.message, /withdrawn/);
	writeFileSync(roles, ROLES);
	const from = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /.*/, { from });
	assert.equal((await stage.received('DELETE')).length, AT_A_TIME);
	await stage.forget();
	assert.equal(listed(await stage.remove(PODS)).length, 32);
}

async function checkMany(stage) {
	await stage.one('POST', '/fill', { count: MANY + 1, prefix: 'mine-x' });
	await stage.forget();
	const refused = await stage.remove(PODS);
	assert.equal(refused.status, 413, refused.text);
	assert.match(refused.json.message, new RegExp(`nothing was deleted: there are more than ${LIMIT} pods.*deletes_per_request`));
	assert.equal((await stage.received('DELETE')).length, 0);
	await stage.remove(`${PODS}?fieldSelector=metadata.name%3Dmine-x-0`);
	await stage.forget();
	const begin = Date.now();
	const session = stage.nadia.h2();
	const all = await stage.nadia.ask(session, `/clusters/${cluster}${PODS}`, { method: 'DELETE' });
	session.close();
	assert.equal(listed(all).length, MANY, all.text.slice(0, 500));
	process.stderr.write(`# ${MANY} deleted in ${Date.now() - begin} ms\n`);
	assert.equal((await stage.received('DELETE')).length, MANY);
	assert.deepEqual(await stage.names(PODS, 'mine-'), []);
	await until('an event for each', () => {
		const events = stage.events().filter(({ verb, objectRef }) => verb === 'delete' && /^mine-x-/.test(objectRef.name));
		return events.length > MANY ? events : null;
	}).then((events) => assert.equal(new Set(events.map(({ objectRef }) => objectRef.name)).size, MANY + 1));
}

scenario('collections deleted by somebody who may delete some', { clusters: [prod] }, async (world) => {
	writeFileSync(world.path('roles.d', 'some.yaml'), ROLES);
	world.config.eksgate.proxy.limits = { deletes_per_request: LIMIT };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world, [cluster]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const stage = new Stage(world, alice, await person(world, kubeproxyd, 'nadia'));
	await checkEach(stage);
	await checkOptions(stage);
	await checkRights(stage);
	await checkPrograms(stage);
	await checkLarge(stage);
	await checkFailures(stage);
	await checkBroken(stage);
	await checkLeaving(stage);
	await checkWithdrawal(stage, kubeproxyd);
	await checkMany(stage);
});
