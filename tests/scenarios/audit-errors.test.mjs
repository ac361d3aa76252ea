// The disk below the audit log answers EIO: as when it is full, nothing privileged happens unrecorded where the policy refuses,
// people work on where it buffers, and every event is in the file once when it can be written again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { Kubeproxyd } from './daemons.mjs';
import { Faults } from './faults.mjs';
import { counter } from './recording.mjs';

const [prod] = CLUSTERS;
const name = nameOf(prod);
const pods = `/clusters/${name}/api/v1/namespaces/default/pods`;
const events = (world) =>
	readFileSync(world.path('audit', 'main.jsonl'), 'utf8')
		.split('\n')
		.filter(Boolean)
		.map((line) => JSON.parse(line));

async function untilWrittenOnce(world, marks) {
	const wanted = marks.map((mark) => `${mark}:1`).join(' ');
	await until('each event is there once', () => {
		const got = marks.map((mark) => `${mark}:${events(world).filter(({ requestURI }) => requestURI.endsWith(mark)).length}`);
		if (got.join(' ') !== wanted) throw new Error(got.join(' '));
		return true;
	});
}

async function checkRefuse(world, kubeproxyd, alice, faults) {
	faults.order('fail write EIO /main.jsonl');
	assert.equal((await alice.request(`${pods}?limit=71`)).status, 200, 'reading goes on');
	await kubeproxyd.log('audit', 'write-failed', /Input\/output error" remedy="see what the kernel's log says of the disk/);
	assert.equal(await counter(kubeproxyd, 'eksgate_audit_failing'), 1);
	const refused = await alice.request(`${pods}/web-1`, { method: 'DELETE' });
	assert.equal(refused.status, 503);
	assert.match(refused.json.message, /audit log cannot be written/);
	const exec = await alice.kubectl(name, ['exec', 'web-1', '--', 'true']);
	assert.match(exec.stderr, /audit log cannot be written/);
	const review = await alice.kubectl(name, ['auth', 'can-i', 'impersonate', 'users/bob']);
	assert.match(review.stderr, /audit log cannot be written/, 'nor is answered from here');
	assert.ok(!(await world.received(prod)).some(({ method, upgrade }) => method === 'DELETE' || upgrade), 'nothing was sent');
	// Rotation meanwhile: a file that cannot be opened is told, and what waits stays.
	faults.order('fail write EIO /main.jsonl', 'fail open EIO /main.jsonl');
	const from = kubeproxyd.reload();
	await kubeproxyd.log('audit', 'reopen-failed', /Input\/output error/, { from });
	faults.order();
	await kubeproxyd.log('audit', 'writing-again', /lost=0/);
	assert.equal((await alice.request(`${pods}/web-1`, { method: 'DELETE' })).status, 200);
	await untilWrittenOnce(world, ['limit=71']);
	await until('the deletion', () => events(world).some(({ verb, responseStatus }) => verb === 'delete' && responseStatus.code === 200));
	assert.equal(await counter(kubeproxyd, 'eksgate_audit_failing'), 0);
}

async function checkBuffer(world, kubeproxyd, alice, faults) {
	world.config.eksgate.proxy.audit.when_failing = 'buffer';
	world.writeConfig();
	const reloaded = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /./, { from: reloaded });
	const from = kubeproxyd.stderr.length;
	faults.order('fail write EIO /main.jsonl');
	assert.equal((await alice.request(`${pods}?limit=72`)).status, 200);
	assert.equal((await alice.request(`${pods}/web-2?gracePeriodSeconds=73`, { method: 'DELETE' })).status, 200, 'people work on');
	await kubeproxyd.log('audit', 'write-failed', /Input\/output error/, { from });
	faults.order();
	await kubeproxyd.log('audit', 'writing-again', /lost=0/, { from });
	await untilWrittenOnce(world, ['limit=72', 'gracePeriodSeconds=73']);
}

scenario('EIO below the audit log', { clusters: [prod] }, async (world) => {
	const faults = new Faults(world);
	await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world, 'main', faults.below);
	await kubeproxyd.untilServed([name]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	await alice.request(`${pods}?limit=70`);
	await checkRefuse(world, kubeproxyd, alice, faults);
	await checkBuffer(world, kubeproxyd, alice, faults);

	// A last event that cannot be written at the end is told, and so is a log that cannot be opened at the start.
	faults.order('fail write EIO /main.jsonl');
	await alice.request(`${pods}?limit=74`);
	await kubeproxyd.stop();
	assert.match(kubeproxyd.stderr, /room=audit event=lost-at-exit bytes=[1-9]/);
	faults.order('fail open EIO /main.jsonl');
	const next = new Kubeproxyd(world, 'main', faults.below);
	await next.endsWith(1);
	assert.match(next.stderr, /cannot write audit events to [^\n]*main\.jsonl: Input\/output error \(eksgate\.proxy\.audit\)/);
});
