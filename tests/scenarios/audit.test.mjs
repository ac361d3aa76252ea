// The audit log: one event a request, one more before an exec and at the start of a watch, joined with the API server's log
// by Audit-ID; denials always; instances merged; nothing secret in it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { command, CLUSTERS, MATCHED, nameOf, person, run, scenario, startBoth, startKubeproxyd, until } from './harness.mjs';

const events = (world, instance = 'main', suffix = '') =>
	readFileSync(world.path('audit', `${instance}.jsonl${suffix}`), 'utf8')
		.split('\n')
		.filter(Boolean)
		.map((line) => JSON.parse(line));

const note = (event, name) => event.annotations[`eksgate.io/${name}`];

async function audit(world, ...args) {
	const result = await command(world, 'kubeproxyd', ['audit', '--format', 'json', ...args]);
	assert.equal(result.code, 0, result.stderr);
	return result.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

scenario('the audit log', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const name = nameOf(prod);
	const pods = '/api/v1/namespaces/default/pods';
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const find = (what, test) => until(what, async () => events(world).find(test));

	// A read: who, as whom, what, and what became of it; the API server knows it by the same id.
	const read = await alice.request(`/clusters/${name}${pods}?limit=1`, { headers: { 'Kubectl-Command': 'kubectl get' } });
	assert.equal(read.status, 200);
	const event = await find('the event of a read', ({ verb }) => verb === 'list');
	assert.deepEqual(event.user.username, 'alice');
	assert.deepEqual(event.user.groups, ['engineering']);
	assert.deepEqual(event.impersonatedUser, { username: 'alice', groups: ['developers'] });
	assert.deepEqual(event.objectRef, { resource: 'pods', namespace: 'default', apiVersion: 'v1' });
	assert.equal(event.requestURI, `${pods}?limit=1`);
	assert.equal(event.responseStatus.code, 200);
	assert.deepEqual(event.sourceIPs, ['127.0.0.1']);
	assert.equal(note(event, 'cluster'), name);
	assert.match(note(event, 'cluster-arn'), /^arn:aws:eks:eu-west-1:111111111111:cluster\/prod-1$/);
	assert.equal(note(event, 'kubectl-command'), 'kubectl get');
	assert.equal(event.annotations['authorization.k8s.io/decision'], 'allow');
	assert.match(event.annotations['authorization.k8s.io/reason'], /developer/);
	assert.equal(Number(note(event, 'bytes-out')), Buffer.byteLength(read.text));
	const sent = (await world.received(prod)).at(-1).headers.find(([key]) => /^audit-id$/i.test(key))[1];
	assert.equal(event.auditID, sent);
	assert.equal(event.auditID, read.headers['audit-id']);

	// A watch: when it starts, and when it ends.
	const begun = Date.now();
	const watch = alice.startKubectl(name, ['get', 'pods', '-w']);
	await find('the start of the watch', ({ verb, stage }) => verb === 'watch' && stage === 'ResponseStarted');
	await new Promise((done) => setTimeout(done, 1000));
	await watch.kill('SIGKILL');
	const watched = await find('its end', ({ verb, stage }) => verb === 'watch' && stage === 'ResponseComplete');
	const lasted = Number(note(watched, 'duration-ms'));
	assert.ok(lasted >= 1000 && lasted <= Date.now() - begun, `a watch of ${lasted} ms`);

	// An exec: its command is on record before the API server hears of it.
	await alice.kubectl(name, ['exec', 'web-1', '--', 'sh', '-c', 'echo "a b"']);
	const stages = await until('the end of the exec', async () => {
		const found = events(world).filter(({ objectRef }) => objectRef?.subresource === 'exec');
		return found.some(({ stage }) => stage === 'ResponseComplete') ? found : null;
	});
	assert.deepEqual(stages.map(({ stage }) => stage), ['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
	assert.deepEqual(JSON.parse(note(stages[0], 'exec-command')), ['sh', '-c', 'echo "a b"']);
	assert.equal(stages[0].verb, 'get', 'as the API server calls it');
	const arrived = (await world.received(prod)).find((entry) => entry.upgrade);
	assert.ok(Date.parse(stages[0].stageTimestamp) <= arrived.at, `${stages[0].stageTimestamp}, and it arrived at ${arrived.at}`);

	// It is so once the API server has it, which says nothing yet.
	await world.api(prod)('POST', '/faults', { kind: 'hang', path: '/exec' });
	const silent = alice.startKubectl(name, ['exec', 'web-1', '--', 'sh', '-c', 'rm -rf /']);
	await until('the silent exec arrives', async () => (await world.received(prod)).filter((entry) => entry.upgrade).length === 2);
	const isSilent = (entry) => note(entry, 'exec-command')?.includes('rm -rf /');
	assert.deepEqual(events(world).filter(isSilent).map(({ stage }) => stage), ['RequestReceived']);
	await silent.kill('SIGKILL');
	await find('the end of the silent exec', (entry) => isSilent(entry) && entry.stage === 'ResponseComplete');
	await world.api(prod)('DELETE', '/faults');

	// Denied: always written, and kubectl's second attempt by SPDY is not a second denial.
	const staging = nameOf(CLUSTERS[4]);
	const victor = await person(world, kubeproxyd, 'victor');
	const denied = await victor.kubectl(staging, ['exec', 'web-1', '--', 'true']);
	assert.notEqual(denied.code, 0);
	await victor.request(`/clusters/${staging}/api/v1/namespaces/default/pods/web-1/exec?command=true`, {
		headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
	});
	await victor.request(`/clusters/${staging}/api/v1/namespaces/default/pods/web-1/exec?command=true`, {
		method: 'POST',
		headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1' },
	});
	const denials = await until('the denials', async () => {
		const found = await audit(world, '--denied', '--user', 'victor', '--cluster', staging);
		return found.some((entry) => note(entry, 'attempts')) ? found : null;
	});
	const [pair] = denials.filter((entry) => note(entry, 'attempts'));
	assert.equal(note(pair, 'attempts'), 'websocket, SPDY/3.1');
	assert.equal(pair.annotations['authorization.k8s.io/decision'], 'forbid');
	assert.ok(!denials.some((entry) => note(entry, 'upgrade') === 'SPDY/3.1'), 'the second attempt stands alone');

	// Nobody: a 401 is on record, without a query that might hold a credential.
	await run('curl', ['-sk', `https://127.0.0.1:${kubeproxyd.port}/clusters/${name}${pods}?token=hidden`]);
	const nobody = await find('the 401', ({ responseStatus }) => responseStatus?.code === 401);
	assert.equal(nobody.requestURI, `/clusters/${name}${pods}`);
	assert.equal(nobody.user.username, undefined);

	// Two instances, one log.
	const second = await startKubeproxyd(world, 'second');
	await second.untilServed(MATCHED);
	const elsewhere = await person(world, second, 'alice', ['engineering']);
	await elsewhere.request(`/clusters/${name}/version`);
	await until('both instances', async () => {
		const merged = await audit(world, '--user', 'alice', '--since', '1h');
		const times = merged.map(({ stageTimestamp }) => stageTimestamp);
		assert.deepEqual(times, [...times].sort());
		return merged.some(({ requestURI }) => requestURI === '/version') && merged.some(({ verb }) => verb === 'watch');
	});
	const table = await command(world, 'kubeproxyd', ['audit', '--user', 'alice']);
	assert.match(table.stdout, /200 ResponseComplete alice prod-1-eks-eu-west-1-111111111111 list pods default .*rule=/);

	// Names come from clients; a terminal obeys none of them.
	await victor.request(`/clusters/${staging}/api/v1/namespaces/default/pods/web-1/exec?command=x%C2%9B31m%1B`, { method: 'POST' });
	const odd = await until('the odd name', async () => {
		const { stdout } = await command(world, 'kubeproxyd', ['audit', '--user', 'victor']);
		return stdout.includes('x\\x9b31m') || stdout.includes('x\u009b') ? stdout : null;
	});
	assert.doesNotMatch(odd, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);

	// No token, and no bearer of the web socket, stands anywhere.
	for (const entry of await world.received(prod)) {
		const [, value] = entry.headers.find(([key]) => /^authorization$/i.test(key)) ?? [];
		if (value === undefined) continue;
		const secret = value.replace(/^Bearer /, '');
		for (const text of [readFileSync(world.path('audit', 'main.jsonl'), 'utf8'), kubeproxyd.stderr])
			assert.ok(!text.includes(secret), 'a bearer token is on record');
	}
});

scenario('audit policy and rotation', async (world) => {
	const file = world.path('policy.yaml');
	const policy = (rules) => writeFileSync(file, `apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n${rules}`);
	policy('- {level: None, verbs: [get]}\n- {level: RequestResponse, omitStages: [RequestReceived]}\n');
	world.config.eksgate.proxy.audit.policy = file;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${name}/api/v1/namespaces/default`;

	await alice.request(`${base}/pods/web-1`);
	const map = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'one' }, data: { key: 'value' } };
	const headers = { 'Content-Type': 'application/json' };
	const made = await alice.request(`${base}/configmaps`, { method: 'POST', headers, body: JSON.stringify(map) });
	assert.equal(made.status, 201, made.text);
	const secret = { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'two' }, data: { key: 'c2VjcmV0LXZhbHVl' } };
	await alice.request(`${base}/secrets`, { method: 'POST', headers, body: JSON.stringify(secret) });
	const [event, hidden] = await until('two events', async () => {
		const found = events(world);
		return found.length >= 2 ? found : null;
	});
	assert.deepEqual(event.requestObject, map);
	assert.equal(event.responseObject.metadata.name, 'one');
	assert.equal(event.level, 'RequestResponse');
	assert.equal(hidden.level, 'Metadata');
	assert.equal(hidden.requestObject, undefined);
	assert.ok(!events(world).some(({ verb }) => verb === 'get'));
	assert.ok(!readFileSync(world.path('audit', 'main.jsonl'), 'utf8').includes('c2VjcmV0'));
	// A review that is answered from here is recorded as one that goes on.
	const spec = { resourceAttributes: { verb: 'impersonate', resource: 'users', name: 'bob' } };
	const reviews = `/clusters/${name}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`;
	assert.equal((await alice.request(reviews, { method: 'POST', headers, body: JSON.stringify({ spec }) })).status, 201);
	const review = await until('the review', () => events(world).find(({ requestURI }) => requestURI.endsWith('reviews')));
	assert.deepEqual([review.level, review.requestObject?.spec], ['RequestResponse', spec]);

	// Rotated: what follows SIGHUP goes to the new file.
	renameSync(world.path('audit', 'main.jsonl'), world.path('audit', 'main.jsonl.1'));
	policy('- level: Metadata\n');
	const from = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /./, { from });
	await alice.request(`${base}/pods/web-1`);
	await until('the new file', async () => events(world).some(({ verb }) => verb === 'get'));
	assert.ok(events(world, 'main', '.1').length >= 2);
	assert.ok((await audit(world)).length > events(world).length, 'audit reads rotated files too');

	// A policy that is wrong is told with its place, and the old one stays; the file is opened anew all the same.
	renameSync(world.path('audit', 'main.jsonl'), world.path('audit', 'main.jsonl.2'));
	policy('- level: Everything\n');
	const again = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reload-refused', /policy\.yaml:4:3.*Everything/, { from: again });
	const checked = await command(world, 'kubeproxyd', ['check'], world.proxyUser);
	assert.equal(checked.code, 1);
	assert.match(checked.stderr, /policy\.yaml:4:3: "Everything" is no level/);
	await alice.request(`${base}/pods/web-1`);
	await until('the next file', async () => events(world).some(({ verb }) => verb === 'get'));

	// What is not read is told.
	execFileSync('gzip', [world.path('audit', 'main.jsonl.1')]);
	const rest = await command(world, 'kubeproxyd', ['audit'], world.proxyUser);
	assert.deepEqual([rest.code, /1 compressed files were left out/.test(rest.stderr)], [0, true]);
	const later = await command(world, 'kubeproxyd', ['audit', '--since', '2999-01-01T00:00:00Z'], world.proxyUser);
	assert.deepEqual([later.code, later.stderr], [0, '']);
	const unreadable = await command(world, 'kubeproxyd', ['audit', world.path('audit')], world.proxyUser);
	assert.deepEqual([unreadable.code, /cannot be read behind line 0: Is a directory/.test(unreadable.stderr)], [1, true]);
});

// Of user and system time.
function cpuSeconds(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
	return (Number(fields[11]) + Number(fields[12])) / 100;
}

// A limit on the size of files is to the proxy what a full disk is.
scenario('a full audit disk', async (world) => {
	world.config.eksgate.proxy.audit.buffer = '64KiB';
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const pods = `/clusters/${name}/api/v1/namespaces/default/pods`;
	const limit = (soft) => run('prlimit', ['--pid', String(kubeproxyd.pid), `--fsize=${soft}:unlimited`]);
	await alice.request(pods);

	assert.equal((await limit(1)).code, 0);
	await alice.request(pods);
	await kubeproxyd.log('audit', 'write-failed');
	assert.equal((await alice.request(pods)).status, 200, 'reading goes on');
	const refused = await alice.request(`${pods}/web-1`, { method: 'DELETE' });
	assert.equal(refused.status, 503);
	assert.match(refused.json.message, /audit log cannot be written/);
	assert.ok(refused.headers['retry-after']);
	assert.notEqual((await alice.kubectl(name, ['exec', 'web-1', '--', 'true'])).code, 0);
	assert.ok(!(await world.received(CLUSTERS[0])).some(({ method, upgrade }) => method === 'DELETE' || upgrade));

	// Once the buffer is full, nothing happens unrecorded: who is connected is told, newcomers wait, and nothing spins.
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	let reads = 0;
	let answer;
	while ((answer = await alice.request(pods, { agent })).status === 200) assert.ok(++reads < 200, 'the buffer never gets full');
	assert.equal(answer.status, 503);
	assert.match(answer.json.message, /audit log cannot be written/);
	await kubeproxyd.log('listener', 'paused', /the audit log cannot be written/);
	let isServed = false;
	const newcomer = alice.request(pods).then((served) => {
		isServed = true;
		return served;
	});
	const before = cpuSeconds(kubeproxyd.pid);
	await new Promise((done) => setTimeout(done, 1500));
	assert.ok(cpuSeconds(kubeproxyd.pid) - before < 0.5, 'nothing spins');
	assert.ok(!isServed, 'a newcomer was accepted');
	assert.equal((await alice.request(pods, { agent })).status, 503, 'who is connected is answered');
	assert.match(await kubeproxyd.call('/metrics'), /^eksgate_proxy_accept_paused\{reason="audit"\} 1$/m);
	await assert.rejects(kubeproxyd.call('/readyz'), /503 .*audit log cannot be written/);
	agent.destroy();
	const from = kubeproxyd.stderr.length;
	assert.equal((await limit('unlimited')).code, 0);
	await kubeproxyd.log('audit', 'writing-again', /./, { from });
	assert.equal((await newcomer).status, 200, 'it is served by itself');
	for (const event of ['paused', 'resumed']) assert.equal(kubeproxyd.stderr.match(new RegExp(`event=${event} reason="the audit log`, 'g')).length, 1);
	assert.equal((await alice.request(`${pods}/web-1`, { method: 'DELETE' })).status, 200);
	await until('every event', async () => events(world).some(({ verb }) => verb === 'delete'));

	// By the other rule people work on, and what was lost is told.
	world.config.eksgate.proxy.audit.when_failing = 'buffer';
	world.writeConfig();
	const reloaded = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /./, { from: reloaded });
	await limit(1);
	for (let i = 0; i <= reads + 40; i++) assert.equal((await alice.request(pods)).status, 200);
	await limit('unlimited');
	const told = await until('the loss is told', async () =>
		events(world).find((entry) => /events were lost/.test(note(entry, 'ending') ?? '')),
	);
	assert.equal(told.user.username, 'system:eksgate');
});
