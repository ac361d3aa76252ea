// A broken file keeps a daemon from starting, with file, line and column; at SIGHUP it changes nothing.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { command, MATCHED, scenario, startBoth } from './harness.mjs';
import { Discoveryd, Kubeproxyd } from './daemons.mjs';

const BROKEN = [
	['version: v3\ndiscovery_service: [\n', /eksgate\.yaml:\d+:\d+: /],
	['version: v3\ndiscovery_servise:\n  enabled: true\n', /eksgate\.yaml:2:1: .*discovery_servise.*discovery_service/],
	['version: v9\n', /eksgate\.yaml:1:10: /],
	['version: v3\nversion: v3\n', /eksgate\.yaml:2:1: /],
	['version: v3\nssh_service:\n  enabled: true\n', /eksgate\.yaml:3:12: .*ssh_service/],
	['version: v3\ndiscovery_service:\n  enabled: true\n  aws:\n  - types: ["ec2"]\n', /eksgate\.yaml:5:\d+: .*ec2/],
	['version: v3\neksgate:\n  test:\n    token_sts_host: evil.example:80\n', /eksgate\.yaml:4:\d+: .*loopback/],
	['', /eksgate\.yaml:/],
];

scenario('a broken configuration', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	for (const [text, message] of BROKEN) {
		writeFileSync(world.path('eksgate.yaml'), text);
		for (const name of ['discoveryd', 'kubeproxyd']) {
			const result = await command(world, name, ['check']);
			assert.deepEqual(
				[result.code, message.test(result.stdout + result.stderr)],
				[1, true],
				`${name}: ${JSON.stringify(text)}: ${result.stdout}${result.stderr}`,
			);
		}
	}
	for (const daemon of [discoveryd, kubeproxyd]) {
		const from = daemon.reload();
		await daemon.waitFor(/level=error .*eksgate\.yaml:1:1/, { from });
	}
	assert.deepEqual(await discoveryd.names(), MATCHED);
	assert.deepEqual(await kubeproxyd.names(), MATCHED);

	// Who asks a daemon, or keeps somebody out, is not stopped by a mistake elsewhere in the file.
	const whole = JSON.stringify(world.config);
	writeFileSync(world.path('eksgate.yaml'), whole.replace('"poll_interval"', '"poll_intervall"'));
	const questions = { discoveryd: ['status'], kubeproxyd: ['ls'] };
	for (const [name, words] of Object.entries(questions)) {
		const { code, stdout, stderr } = await command(world, name, words);
		assert.deepEqual([code, /eksgate\.yaml:1:\d+: .*poll_intervall/.test(stderr)], [0, true], stderr);
		assert.match(stdout, name === 'kubeproxyd' ? new RegExp(MATCHED[0]) : /reload|refused|mistake/i);
	}
	assert.equal((await command(world, 'kubeproxyd', ['lock', 'user', 'mallory'])).code, 0);
	await kubeproxyd.log('locks', 'read', /count=1/);
	writeFileSync(world.path('eksgate.yaml'), BROKEN.at(-1)[0]);

	const start = [new Discoveryd(world), new Kubeproxyd(world, 'another')];
	for (const daemon of start) {
		await daemon.endsWith(1);
		assert.match(daemon.stderr, /eksgate\.yaml:1:1/);
	}
	world.config.discovery_service.aws.pop();
	world.writeConfig();
	for (const daemon of [discoveryd, kubeproxyd]) {
		const from = daemon.reload();
		await daemon.waitFor(/event=reloaded/, { from });
	}
	await discoveryd.untilSwept();

	// What is valid and may not do what is meant is told, too.
	const deny = "{kind: events, namespace: '*', name: '*', verbs: ['*']}";
	const role = `kind: role\nversion: v8\nmetadata: {name: no-events}\nspec: {deny: {kubernetes_resources: [${deny}]}}\n`;
	writeFileSync(world.path('roles.d', 'doubtful.yaml'), role);
	const checked = await command(world, 'kubeproxyd', ['check']);
	assert.equal(checked.code, 0, checked.stderr);
	assert.match(checked.stdout, /^warning: \S+doubtful\.yaml:1: role "no-events" denies events of api_group "" alone.*events\.k8s\.io/m);
});
