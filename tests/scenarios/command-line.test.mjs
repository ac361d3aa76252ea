// The command line of both daemons: what it prints while they run, and its exit status: 0 done, 1 the answer is no, 2 wrong
// use.
import assert from 'node:assert/strict';
import { binary, CLUSTERS, command, MATCHED, nameOf, run, scenario, startBoth } from './harness.mjs';

scenario('the command line', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod, dev] = CLUSTERS;
	const discovery = async (code, pattern, ...words) => {
		const result = await command(world, 'discoveryd', words);
		assert.equal(result.code, code, `discoveryd ${words.join(' ')}: ${result.stdout}${result.stderr}`);
		assert.match(result.stdout + result.stderr, pattern, `discoveryd ${words.join(' ')}`);
		return result.stdout;
	};
	const proxy = async (code, pattern, ...words) => {
		const result = await command(world, 'kubeproxyd', words, world.proxyUser);
		assert.equal(result.code, code, `kubeproxyd ${words.join(' ')}: ${result.stdout}${result.stderr}`);
		assert.match(result.stdout + result.stderr, pattern, `kubeproxyd ${words.join(' ')}`);
		return result.stdout;
	};
	await discovery(0, /staging-eks-us-west-2/, 'get', 'kube_cluster');
	const resources = JSON.parse(await discovery(0, /prod-1/, 'get', 'kube_cluster', '--format', 'json'));
	assert.equal(resources.length, MATCHED.length);
	await discovery(0, /arn:aws:eks:eu-west-1/, 'get', `kube_cluster/${nameOf(prod)}`, '--format', 'yaml');
	await discovery(1, /nowhere/, 'get', 'kube_cluster/nowhere');
	await discovery(0, /us-west-2/, 'status');
	await discovery(0, /env/, 'explain', nameOf(prod));
	await discovery(1, /env/, 'explain', dev.name);
	await discovery(0, /main/, 'inventory');
	await discovery(0, /prod-2/, 'scan');
	await discovery(2, /usage|unknown/, 'nonsense');
	await discovery(2, /usage|takes|needs/, 'explain');

	await proxy(0, /prod-1-eks-eu-west-1/, 'ls');
	await proxy(0, /k8s-aws-v1\./, 'token', nameOf(prod));
	await proxy(1, /nowhere/, 'token', 'nowhere');
	await proxy(2, /usage|unknown/, 'nonsense');
	const trying = ['can', 'alice', 'get', 'pods', '--cluster', nameOf(prod), '--roles'];
	await proxy(1, /--roles \/nowhere: No such file or directory/, ...trying, '/nowhere');
	const server = `https://127.0.0.1:${kubeproxyd.port}`;
	const config = await proxy(
		0,
		/client-certificate-data/,
		'kubeconfig',
		'--cert-for',
		'alice',
		'--group',
		'engineering',
		'--server',
		server,
	);
	assert.match(config, new RegExp(`${server}/clusters/${nameOf(prod)}`));
	await proxy(1, /system:/, 'cert', 'system:admin', '--out', '-');
	await proxy(1, /system:/, 'cert', 'alice', '--group', 'system:masters', '--out', '-');
	for (const name of ['discoveryd', 'kubeproxyd']) {
		const version = await run(binary(name), ['--version']);
		assert.deepEqual([version.code, version.stdout], [0, `${name} 0.1.0\n`]);
		assert.equal((await run(binary(name), ['--help'])).code, 0);
	}
	const lonely = await command(world, 'discoveryd', ['check']);
	assert.equal(lonely.code, 0, lonely.stderr);
});
